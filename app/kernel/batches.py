"""Queues whose work is done in batches, where whoever watches an application finds them: how long they are, how large the batches.

A queue shows itself when it begins to run. It is found by the task in which its application started, so that neither has to know
the other, and several applications in one process are kept apart.
"""

from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from app.kernel.histogram import Histogram


class Batches(Protocol):
    """One queue."""

    @property
    def name(self) -> str:
        """What it does, in a few words: the same for the whole life of the process, and one of few."""

    @property
    def sizes(self) -> Histogram:
        """How many items were carried out together."""

    def __len__(self) -> int:
        """How many items wait, those among them whose batch is being carried out."""


_shown: ContextVar[MutableSequence[Batches] | None] = ContextVar("batches", default=None)


@contextmanager
def watched(found: MutableSequence[Batches]) -> Iterator[None]:
    """Put the queues that show themselves inside the block into `found`."""
    token = _shown.set(found)
    try:
        yield
    finally:
        _shown.reset(token)


@contextmanager
def shown(batches: Batches) -> Iterator[None]:
    """Show this queue to whoever watches, while the block runs."""
    found = _shown.get()
    if found is not None:
        found.append(batches)
    try:
        yield
    finally:
        if found is not None:
            found.remove(batches)
