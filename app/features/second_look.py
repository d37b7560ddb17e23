"""Screens end up showing what is stored, though several nodes change the same thing in the same moment.

What is pushed is how a thing was when its change was committed. Two nodes need not come to the journal in the order of their
commits, nor need two pushes of one node; then screens would keep the older state. So whoever has pushed a thing looks a moment
later what is stored: where that is not what was told, it pushes how the thing is now, and looks again after that. Whoever comes to
the journal last looks last, so the last that the journal says of a thing is right, also for pages that read it later.

A process that is killed before it has looked leaves screens as they are.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Generic, NamedTuple, TypeVar

from app.features.gathering import Gathering

PAUSE_S = 0.2
"""Seconds in which what was pushed is gathered into one look. What is wrong on screens is right after two of them."""

MAX_WAITING = 10_000
"""Things that are looked at later, while the database or the journal is away: some 10 MiB. The oldest are given up."""

Key = TypeVar("Key")
Told = TypeVar("Told")


class _Pushed(NamedTuple, Generic[Told]):
    told: Told
    is_doubtful: bool = False
    """Whether something else was stored already a moment ago."""


class SecondLook(Generic[Key, Told]):
    """At things of one kind, with what was told of each: of several pushes of one thing, by the last."""

    def __init__(
        self,
        what: str,
        *,
        find_changed: Callable[[Mapping[Key, Told]], Awaitable[Collection[Key]]],
        push: Callable[[Mapping[Key, Told]], Awaitable[None]],
    ) -> None:
        """`find_changed`: those of which something else is stored than was told. `push`: push how these are now, and call `told`.

        Both may raise Unavailable; then it is tried again later.
        """
        self._find_changed = find_changed
        self._push = push
        self._pushed: Gathering[Key, _Pushed[Told]] = Gathering(what, self._look, pause_s=PAUSE_S)

    def told(self, key: Key, told: Told) -> None:
        """It was pushed, and has come to the journal."""
        if len(self._pushed) >= MAX_WAITING and key not in self._pushed:
            self._pushed.drop_oldest()
        self._pushed.add(key, _Pushed(told))

    def told_gone(self, key: Key) -> None:
        """It was pushed that there is no such thing any more, which is never another way again: there is nothing to look at."""
        self._pushed.forget(key)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look while the block runs, and at its end at what is left."""
        async with self._pushed.running():
            yield

    async def _look(self, pushed: Mapping[Key, _Pushed[Told]]) -> None:
        """A change may be committed whose push follows in a moment: what seems wrong is looked at once more before it is pushed."""
        wrong: dict[Key, Told] = {}
        for key in await self._find_changed({key: one.told for key, one in pushed.items()}):
            if self._pushed.newest(key) is not pushed[key]:
                continue  # it was pushed meanwhile
            if pushed[key].is_doubtful:
                wrong[key] = pushed[key].told
            else:
                self._pushed.add(key, _Pushed(pushed[key].told, is_doubtful=True))
        for key, one in pushed.items():
            if key not in wrong:
                self._pushed.done(key, one)  # also where what is wrong must wait: it holds up nothing else
        if wrong:
            await self._push(wrong)
