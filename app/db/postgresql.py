"""What is PostgreSQL's own: as many writers as come, and a server that may be slow, gone, or back.

Each wait ends: for a connection, for an answer, for a row that somebody else has locked. What is committed is on disk, whatever the
server's default is. A connection that the server has closed is not used again; the next one is opened in its place.
"""

from asyncio import CancelledError
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from asyncpg import InterfaceError
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from app.db.backend import Backend, Commit, Done, Held, Overruled
from app.kernel.errors import Unavailable

POOL_SIZE = 10
"""Connections of one process. PostgreSQL takes 100 by default: those of nine processes, and some for people."""
POOL_TIMEOUT_S = 3.0
"""For a connection of the pool to be free. All are busy for so long only when the server answers nothing."""
CONNECT_TIMEOUT_S = 3.0
"""For a new connection."""
STATEMENT_TIMEOUT_MS = 4_000
"""For one statement, after which the server ends it. None of ours takes a tenth of that."""
LOCK_TIMEOUT_MS = 3_000
"""For a row that another transaction has locked."""
MOMENT_MS = 100
"""For the same, where writes of others wait behind it. Our own transactions hold a row for some 10 ms."""
ANSWER_TIMEOUT_S = 5.0
"""For an answer: a server that is frozen, or behind a cable that is cut, does not end statements by itself."""
IDLE_TIMEOUT_MS = 15_000
"""After which the server ends a transaction that says nothing: a node that froze in its middle would keep others from its rows."""
KEEPALIVE_S = 60
"""After which the server probes a connection of which nothing comes. Some rest until many are needed at once, and what is in
between (a firewall, the balancer of a cloud) forgets a connection that is silent for minutes, and tells nobody."""
CHECK_TIMEOUT_S = 2.0
"""For the server to count as there. Balancers ask every few seconds."""
LANES = 4
"""Transactions of the writer at once. They leave most of the pool to others, and each is worth more the more it holds."""

_LOST_CLASSES = {"08", "57"}
"""The connection failed; the server is stopping, starting, or was told to cancel."""
_OVERRULED_CLASS = "40"
"""Rolled back in favour of another transaction."""
_HELD_STATE = "55P03"
"""The lock timeouts above."""
_PASSING_CLASSES = {*_LOST_CLASSES, _OVERRULED_CLASS, "53", "58"}
"""Classes of SQLSTATE: beside those, out of connections, memory, disk; its system failed."""
_PASSING_STATES = {
    "25006",  # read only: it is a standby, or about to become the primary
    "25P03",  # the idle timeout above
    _HELD_STATE,
}

_SYNCHRONOUS = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
"""With `off`, a server that crashes loses what it has answered. The other words are about standbys: the operator's to choose."""
_CONNECTIONS = "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
_MAY_MAKE_TABLES = (
    "SELECT current_user, current_schema(), coalesce(has_schema_privilege(current_user, current_schema(), 'CREATE'), false)"
)


class Postgresql(Backend):
    """A server of its own, and as many processes of ours as there are."""

    reading: Mapping[str, Any] = {"isolation_level": "AUTOCOMMIT"}  # without BEGIN and ROLLBACK, which are round trips
    check_timeout_s = CHECK_TIMEOUT_S
    lanes = LANES

    def make_engine(self, url: str) -> AsyncEngine:
        """An engine whose connections have timeouts and are asked whether they are still open before each use."""
        engine = create_async_engine(
            url,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_use_lifo=True,  # the one used last, whose plans are still in caches
            pool_timeout=POOL_TIMEOUT_S,
            hide_parameters=True,
            connect_args={
                "timeout": CONNECT_TIMEOUT_S,
                "command_timeout": ANSWER_TIMEOUT_S,
                "server_settings": {
                    "application_name": "wsx",
                    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                    "lock_timeout": str(LOCK_TIMEOUT_MS),
                    "idle_in_transaction_session_timeout": str(IDLE_TIMEOUT_MS),
                    "tcp_keepalives_idle": str(KEEPALIVE_S),
                },
            },
        )
        event.listen(engine.sync_engine, "connect", _prepare)
        event.listen(engine.sync_engine, "checkout", _refuse_closed)
        event.listen(engine.sync_engine, "handle_error", _give_up_lost)
        return engine

    def turn(self) -> AbstractAsyncContextManager[None]:
        """At once: the server takes many writers."""
        return nullcontext()

    async def carry_out(self, engine: AsyncEngine, work: Callable[[Connection], Done], commit: Commit) -> Done:
        """The loop does it, and turns while the server works."""
        async with engine.connect() as connection, connection.begin():
            commit.is_connected = True
            if not commit.is_patient:
                await connection.exec_driver_sql(f"SET LOCAL lock_timeout = {MOMENT_MS}")
            done = await connection.run_sync(work)
            commit.has_begun = True
        return done

    async def close(self) -> None:
        """It has begun nothing."""

    def is_passing(self, error: DBAPIError) -> bool:
        """By its SQLSTATE; without one it is the driver that speaks, of its connection or of a value that is none."""
        state = _state(error)
        if state is None:
            cause = getattr(error.orig, "driver_exception", None)
            return error.connection_invalidated or (isinstance(cause, InterfaceError) and not isinstance(cause, ValueError))
        return state[:2] in _PASSING_CLASSES or state in _PASSING_STATES

    def kind_of(self, error: Exception, /) -> type[Unavailable]:
        """Overruled in a deadlock, Held by the lock timeout."""
        state = _state(error)
        if state == _HELD_STATE:
            return Held
        return Overruled if state is not None and state[:2] == _OVERRULED_CLASS else Unavailable

    def may_be_stored(self, error: Exception, /) -> bool:
        """Where the connection was lost before the answer came."""
        state = _state(error)
        return state is None or state[:2] in _LOST_CLASSES


async def connections_for_us(session: AsyncSession) -> int:
    """How many connections the server takes from those who are no superusers."""
    return int((await session.execute(text(_CONNECTIONS))).scalar_one())


async def may_not_make_tables(session: AsyncSession) -> str:
    """Why this role cannot make tables, in one line for operators; empty: it can."""
    role, schema, may = (await session.execute(text(_MAY_MAKE_TABLES))).one()
    return "" if may else f"the role {role} may not make tables: GRANT CREATE ON SCHEMA {schema or 'public'} TO {role}"


def _state(error: Exception) -> str | None:
    """The SQLSTATE, where the server or the driver gave one."""
    state: str | None = getattr(getattr(error, "orig", None), "sqlstate", None)
    return state


def _prepare(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(_SYNCHRONOUS)
    cursor.close()
    connection.commit()


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """The pool opens another one in its place. A ping would ask the same at the price of a round trip for each transaction."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _give_up_lost(context: ExceptionContext) -> None:
    """A connection that did not answer, or whose user does not wait any more, is cut: to close it politely needs an answer, too."""
    if isinstance(context.original_exception, OSError | CancelledError) and context.connection is not None:
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False
        pooled: Any = context.connection.connection
        pooled.driver_connection.terminate()
