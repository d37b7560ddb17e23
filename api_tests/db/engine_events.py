"""Listening to what all engines of this process do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event


@contextmanager
def listening(name: str, note: Callable[..., Any]) -> Iterator[None]:
    """Call `note` at each such event of SQLAlchemy, while the block runs."""
    event.listen(Engine, name, note)
    try:
        yield
    finally:
        event.remove(Engine, name, note)
