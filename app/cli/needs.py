"""What a server needs of its database and of Redis, looked at before it starts, and by `wsx check`."""

import asyncio

import structlog

from app.cli.console import Failure, with_database
from app.cluster.client import check as check_redis
from app.db.migrate import Form, form_of
from app.db.postgresql import POOL_SIZE, connections_for_us, may_not_make_tables
from app.db.session import Database
from app.db.url import is_sqlite
from app.settings import Settings

_FORMS = {
    Form.NONE: "no tables yet; `wsx serve` makes them",
    Form.OLDER: "of an older version; `wsx serve` brings it up to date",
    Form.NEWEST: "ok",
}
_log = structlog.get_logger()


def check_database(settings: Settings) -> str:
    """Look into the database, which is there. Returns how it is; raises Failure where a server could not use it."""

    async def look(database: Database) -> Form:
        await database.check()
        async with database.reading() as session:
            form = await (await session.connection()).run_sync(form_of)
            is_to_be_changed = form is not Form.NEWEST and not is_sqlite(settings.database_url)
            if is_to_be_changed and (wrong := await may_not_make_tables(session)):
                raise Failure(wrong)
        return form

    return _FORMS[with_database(settings, look)]


def check_room_for_workers(settings: Settings) -> None:
    """Raise Failure where the database takes fewer connections than all workers may want."""
    if settings.workers == 1:
        return

    async def look(database: Database) -> int:
        async with database.reading() as session:
            return await connections_for_us(session)

    wanted, there_are = settings.workers * POOL_SIZE, with_database(settings, look)
    if wanted > there_are:
        message = (
            f"WSX_WORKERS is {settings.workers}: each wants up to {POOL_SIZE} connections of the database, {wanted} in all, and "
            f"PostgreSQL has {there_are} for us: raise its max_connections, or start at most {there_are // POOL_SIZE}"
        )
        raise Failure(message)


def check_redis_at_start(settings: Settings) -> None:
    """Raise Failure where Redis refuses us, or is too old. One that is away is only told of: the server goes on when it is back."""
    trouble = asyncio.run(check_redis(settings.redis_url)) if settings.redis_url else None
    if trouble is None:
        return
    if not trouble.passes:
        raise Failure(trouble.text)
    _log.warning("started without Redis", error=trouble.text)
