"""The ids of all keys that there are: what is looked up for an address that guesses."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from app.kernel.clock import monotonic

RENEW_S: Final = 1.0
"""Seconds between two readings: a key that another process made may have to wait so long."""


class KnownIds:
    """Ids as they were last read, all at once, and those that this process has made since. Safe for concurrent use."""

    def __init__(self, find: Callable[[], Awaitable[Collection[str]]]) -> None:
        self._find = find
        self._ids: frozenset[str] = frozenset()
        self._made: set[str] = set()
        """Those that the last reading may have missed."""
        self._renew_at = 0.0
        self._reading: asyncio.Task[None] | None = None

    def add(self, key_id: str) -> None:
        """A key was made. Where no reading is believed, the next one finds it."""
        if self._reading is not None or monotonic() < self._renew_at:
            self._made.add(key_id)

    async def has(self, key_id: str) -> bool:
        """Whether there is a key of this id, or was at the last reading. Raises what reading raises.

        A known id waits for nothing. All that wait, wait for one reading, and get its error.
        """
        if not self._is_known(key_id) and monotonic() >= self._renew_at:
            await asyncio.shield(self._read_once())
        return self._is_known(key_id)

    def _is_known(self, key_id: str) -> bool:
        return key_id in self._ids or key_id in self._made

    def _read_once(self) -> "asyncio.Task[None]":
        """The reading that is under way."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(self._end)
        return self._reading

    async def _read(self) -> None:
        before = frozenset(self._made)
        self._ids = frozenset(await self._find())
        self._made -= before
        self._renew_at = monotonic() + RENEW_S

    def _end(self, done: "asyncio.Task[None]") -> None:
        """Who waits is told of errors; nobody else needs to be."""
        self._reading = None
        if not done.cancelled():
            done.exception()
