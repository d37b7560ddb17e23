"""Counting what is asked of the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from api_tests.db.engine_events import listening


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Every statement of this process while the block runs; the beginnings of transactions are none."""
    seen: list[str] = []

    def note(_connection, _cursor, statement, *_):
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    with listening("before_cursor_execute", note):
        yield seen
