"""A database that was restored is noticed, before a page is let in and while the server runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog

from app.db.lineage import Lineages, LineageWatch, Looks
from app.db.session import Database
from app.features.background import Rest, background
from app.kernel.errors import Unavailable

LOOK_EVERY_S: Final = 5.0
"""Seconds between two looks. A copy of SQLite's file that is no older, and not by `wsx backup`, cannot be told from the file."""

_log = structlog.get_logger()


@asynccontextmanager
async def restores_noticed(database: Database, lineages: Lineages) -> AsyncIterator[None]:
    """Look now, and again and again while the block runs. Enter it before the journal is followed."""
    watch = LineageWatch(Looks(database).look, lineages)

    async def look() -> None:
        with suppress(Unavailable):  # others say so
            await watch.look()

    async def look_on(rest: Rest) -> None:
        while True:
            await rest.sleep(LOOK_EVERY_S)
            try:
                await look()
            except Exception:
                _log.exception("whether the database is restored could not be found out now")

    try:
        await look()
    except Exception:  # a kind of PostgreSQL that does not tell what we ask for
        _log.exception("whether the database is restored cannot be found out")
        yield
        return
    async with background("watch for restores", look_on):
        yield
