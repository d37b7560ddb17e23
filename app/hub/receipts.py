"""What became of publications on this node: the newest are remembered, and one that is on its way can be waited for."""

import asyncio
from collections import OrderedDict

from app.hub.publication import Receipt

KEPT = 10_000
"""Newest publications whose receipt can be asked for: about 2 MiB."""


class Receipts:
    """By the id of the publication."""

    def __init__(self) -> None:
        self._receipts: OrderedDict[str, Receipt] = OrderedDict()
        self._awaited: dict[str, asyncio.Future[Receipt]] = {}
        self.queued = 0
        """Updates that were queued for connections of this node, since its start."""
        self.refused = 0
        """Updates that connections of this node should have heard, which were leaving, or too far behind and closed."""

    def add(self, receipt: Receipt) -> None:
        """It was delivered here."""
        self._receipts[receipt.id] = receipt
        self.queued += receipt.queued
        self.refused += receipt.matched - receipt.queued
        if len(self._receipts) > KEPT:
            self._receipts.popitem(last=False)
        if (awaited := self._awaited.pop(receipt.id, None)) is not None:
            awaited.set_result(receipt)

    def __getitem__(self, publication_id: str) -> Receipt:
        """Raises KeyError."""
        return self._receipts[publication_id]

    def get(self, publication_id: str) -> Receipt | None:
        """None: it is unknown, or too long ago."""
        return self._receipts.get(publication_id)

    async def wait(self, publication_id: str, within_s: float) -> Receipt | None:
        """The same for one that was just published, maybe on another node: it may come here a moment later than the question."""
        if publication_id not in self._receipts and within_s > 0:
            awaited = self._awaited.setdefault(publication_id, asyncio.get_running_loop().create_future())
            await asyncio.wait((awaited,), timeout=within_s)
            if not awaited.done():
                self._awaited.pop(publication_id, None)
        return self.get(publication_id)
