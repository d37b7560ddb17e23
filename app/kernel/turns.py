"""One at a time, of those who change the same thing; who changes another waits for nobody."""

import asyncio
from collections.abc import Hashable
from weakref import WeakValueDictionary


class Turns:
    """Locks by what they are for. One that nobody holds or waits for is forgotten."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[Hashable, ...], asyncio.Lock] = WeakValueDictionary()

    def of(self, *things: Hashable) -> asyncio.Lock:
        """To be entered at once, or held by whoever asked: `async with turns.of(room_id, user_id): …`."""
        return self._locks.setdefault(things, asyncio.Lock())
