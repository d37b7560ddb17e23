"""What an admin's handler says of its use, for the audit log: its answer is HTML, which says nothing to programs."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_counts: ContextVar[dict[str, int] | None] = ContextVar("particulars", default=None)


def reached(**counts: int) -> None:
    """How many it reached, by the names that the REST interface has for it."""
    told = _counts.get()
    if told is not None:
        told |= counts


@contextmanager
def particulars() -> Iterator[dict[str, int]]:
    """What is said in the block."""
    told: dict[str, int] = {}
    token = _counts.set(told)
    try:
        yield told
    finally:
        _counts.reset(token)
