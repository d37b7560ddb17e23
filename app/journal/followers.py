"""Those who follow a journal on this node."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog

from app.journal.port import Entry

Deliver = Callable[[Entry], None]
Lost = Callable[[], None]
UntilReady = Callable[[], Awaitable[None]]
Stop = Callable[[], None]

_log = structlog.get_logger()


class _Follower(NamedTuple):
    deliver: Deliver
    lost: Lost | None
    until_ready: UntilReady | None


class Followers:
    """Called in the order in which they came. One that fails is logged, and keeps nothing from the others."""

    def __init__(self) -> None:
        self._followers: list[_Follower] = []

    def add(self, deliver: Deliver, lost: Lost | None, until_ready: UntilReady | None) -> Stop:
        """Call it from now on. Returns what ends that."""
        follower = _Follower(deliver, lost, until_ready)
        self._followers.append(follower)
        return lambda: self._followers.remove(follower)

    def deliver(self, entry: Entry) -> None:
        """Hand the entry to all of them."""
        for follower in tuple(self._followers):
            try:
                follower.deliver(entry)
            except Exception:
                _log.exception("journal follower failed", cursor=entry.cursor)

    def lost(self) -> None:
        """Tell all of them that entries are lost to them."""
        for follower in tuple(self._followers):
            try:
                if follower.lost is not None:
                    follower.lost()
            except Exception:
                _log.exception("journal follower failed to note what is lost")

    async def until_ready(self) -> None:
        """Return when all of them can take the next entry."""
        for follower in tuple(self._followers):
            try:
                if follower.until_ready is not None:
                    await follower.until_ready()
            except Exception:
                _log.exception("journal follower failed to get ready")
