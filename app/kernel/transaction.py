"""The flag behind the rule "commit, then publish": a push must not tell of what may still be rolled back."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_open: ContextVar[bool] = ContextVar("transaction_open", default=False)


class PublishedInsideTransaction(RuntimeError):
    """Something was published, or written by another, while a transaction was open.

    Move the call behind the `async with transaction(…)` block.
    """


@contextmanager
def marked_open() -> Iterator[None]:
    """Mark the current task as inside a transaction."""
    token = _open.set(True)
    try:
        yield
    finally:
        _open.reset(token)


def refuse_inside_transaction() -> None:
    """Raise PublishedInsideTransaction when the current task is inside a transaction."""
    if _open.get():
        raise PublishedInsideTransaction(PublishedInsideTransaction.__doc__)
