"""Those who wait until an entry was delivered on this node."""

import asyncio

from app.journal.place import Place
from app.kernel.errors import Unavailable


class Delivered:
    """Knows the newest entry that was delivered, and that all before it were, down to the last that was skipped."""

    def __init__(self, newest: Place) -> None:
        self._newest = self._skipped_to = newest
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}
        """By the number of the entry. Those who wait no longer are left until it comes."""

    async def until(self, wanted: Place) -> None:
        """Return when this entry was delivered. Raises Unavailable when it never will be."""
        if wanted.epoch != self._newest.epoch or wanted.number <= self._skipped_to.number:
            raise _never()
        if wanted.number > self._newest.number:
            delivered = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(wanted.number, []).append(delivered)
            await delivered

    def passed(self, place: Place) -> None:
        """The next one was delivered."""
        self._newest = place
        for delivered in self._waiting.pop(place.number, ()):
            if not delivered.done():
                delivered.set_result(None)

    def skip_to(self, place: Place) -> None:
        """Those until this one were not delivered and never will be."""
        self._newest = self._skipped_to = place
        waiting, self._waiting = self._waiting, {}
        for delivered in (one for some in waiting.values() for one in some):
            if not delivered.done():
                delivered.set_exception(_never())


def _never() -> Unavailable:
    return Unavailable("the journal has lost what was published; others may have heard it")
