"""Writes the audit log behind the answers."""

from collections.abc import AsyncIterator, Hashable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import Database
from app.db.writes import Kind
from app.features.audit import store
from app.features.audit.store import Wanted
from app.features.feature import Action
from app.features.gathering import Gathering
from app.features.particulars import particulars
from app.features.services import Services
from app.features.sweeping import swept
from app.hub.connection import Connection
from app.hub.handlers import Reply, Request
from app.kernel.addresses import network_of
from app.kernel.clock import utc_now
from app.kernel.errors import AppError, Unavailable, Unclear
from app.kernel.ids import new_short_id
from app.web.deeds import MAX_ID_CHARS, NOBODY, SEVERAL, Actor, Deed

PAUSE_S: Final = 0.5
"""Seconds in which deeds are gathered into one transaction."""
REFUSALS_S: Final = 10.0
"""Seconds in which refusals that are alike become one row."""
MAX_ALIKE: Final = 100
"""Kinds of refusals that are told apart in that time; what comes beside them is one row that says how many."""
STRANGERS_S: Final = 60.0
"""Seconds in which refusals of nobody that are alike become one row: anybody can make them, without a key."""
MAX_STRANGERS: Final = 20
"""Kinds of them that are told apart in that time, beside those of known keys and users: nobody can hide what these did. A flood
from ever new addresses makes 30,240 rows in a day at most, and the million of `STRANGERS_KEPT_DAYS` takes some 350 MB."""
STRANGERS_KEPT_DAYS: Final = 30
"""Days for which refusals of nobody are kept, where the operator wants everything else for ever, too."""
MAX_WAITING: Final = 10_000
"""Deeds that wait while the database is away, some 20 MB; what comes beside them is counted, and the count is written down."""
SWEEP_EVERY_S: Final = 600.0
MAX_ADDRESS_CHARS: Final = 64
OTHERS: Final = "others"
"""The operation of a row that says how many more there were."""

_ADDING: Final[Kind[list[dict[str, Any]], None]] = Kind("audit log", store.add)
_OTHERS: Final = Deed(SEVERAL, OTHERS, {}, None, {}, 0, "", "", "")


class _Noted(NamedTuple):
    """A deed that waits to be written down; or several that are alike, of which this was the first."""

    id: str
    """A UUIDv7 in hexadecimal digits: made when it was noted, it says when that was."""
    at: datetime
    deed: Deed
    times: int = 1


class _Counted:
    """Deeds that wait to be written, `at_most` of them told apart: those of one kind are counted, and so are those beside them."""

    def __init__(self, what: str, database: Database, *, pause_s: float, at_most: int, others: Deed = _OTHERS) -> None:
        self._database = database
        self._at_most = at_most
        self._others = others
        self._in_flight: Mapping[tuple[Hashable, int], _Noted] = {}
        """What is being written, or may be: it cannot be counted on any more, and is not forgotten yet."""
        self.gathering: Gathering[tuple[Hashable, int], _Noted] = Gathering(what, self._write, pause_s=pause_s, keeps_up=True)

    def add(self, kind: Hashable, noted: _Noted) -> None:
        """One more of this kind."""
        if len(self.gathering) >= self._at_most and (kind, 0) not in self.gathering:
            kind, noted = OTHERS, noted._replace(deed=self._others)
        number = 0
        while (kind, number) in self._in_flight:
            number += 1
        before = self.gathering.newest((kind, number))
        self.gathering.add((kind, number), noted if before is None else before._replace(times=before.times + 1))

    async def _write(self, batch: Mapping[tuple[Hashable, int], _Noted]) -> None:
        before, self._in_flight = self._in_flight, {**self._in_flight, **batch}
        left: Mapping[tuple[Hashable, int], _Noted] = {}
        try:
            await self._database.write(_ADDING, [_row(one) for one in batch.values()], rows=len(batch))
        except Unavailable as error:
            left = self._in_flight if isinstance(error, Unclear) else before
            raise
        finally:
            self._in_flight = left


class AuditLog:
    """What was done and is not written down yet."""

    def __init__(self, services: Services) -> None:
        database = services.database
        self._done = _Counted("audit log", database, pause_s=PAUSE_S, at_most=MAX_WAITING)
        self._refused = _Counted("audit log of refusals", database, pause_s=REFUSALS_S, at_most=MAX_ALIKE)
        others = _OTHERS._replace(actor=NOBODY)
        what = "audit log of strangers"
        self._strangers = _Counted(what, database, pause_s=STRANGERS_S, at_most=MAX_STRANGERS, others=others)

    def note(self, deed: Deed) -> None:
        """Note what was done now, or refused."""
        noted = _Noted(new_short_id(), utc_now(), deed)
        if deed.status < HTTPStatus.BAD_REQUEST:
            self._done.add(noted.id, noted)
            return
        outcome = deed.status, deed.code, network_of(deed.address)
        if deed.actor == NOBODY:
            self._strangers.add(outcome, noted)
        else:
            self._refused.add((deed.actor, deed.operation, *outcome), noted)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write while the block runs, and the rest at its end."""
        async with self._done.gathering.running(), self._refused.gathering.running(), self._strangers.gathering.running():
            yield


async def record(session: AsyncSession, deed: Deed) -> None:
    """Write one deed down, in the transaction that does it."""
    row = _row(_Noted(new_short_id(), utc_now(), deed))
    await (await session.connection()).run_sync(store.add, [[row]])


def by_command(command: str, targets: Mapping[str, str]) -> Deed:
    """What the operator did on the machine itself."""
    return Deed(Actor("command", "", "operator"), command, targets, None, {}, int(HTTPStatus.OK), "", "", "")


def _row(noted: _Noted) -> dict[str, Any]:
    deed = noted.deed
    targets = {name: _storable(value) for name, value in deed.targets.items()}
    return {
        "id": UUID(noted.id),
        "at": noted.at,
        "actor": deed.actor.kind,
        "actor_id": deed.actor.id,
        "actor_name": deed.actor.name,
        "operation": deed.operation,
        "targets": targets,
        "connection_id": targets.get("connection_id"),
        "audience": deed.audience,
        "counts": deed.counts,
        "status": int(deed.status),
        "code": deed.code,
        "times": noted.times,
        "request_id": _storable(deed.request_id)[:MAX_ID_CHARS],
        "address": deed.address[:MAX_ADDRESS_CHARS],
    }


def _storable(text: str) -> str:
    """What pages and paths name may hold NUL, and JSON half of a surrogate pair: databases take neither."""
    return text.replace("\0", "").encode(errors="replace").decode()


def admin_action(name: str, action: Action) -> Action:
    """A socket handler of admins, whose uses and refusals are noted."""

    async def noted(services: Services, request: Request, connection: Connection) -> Reply | None:
        status, code = int(HTTPStatus.OK), ""
        with particulars() as counts:
            try:
                return await action(services, request, connection)
            except Exception as error:
                known = error if isinstance(error, AppError) else AppError
                status, code = known.status, known.code
                raise
            finally:
                user = connection.user
                actor = NOBODY if user is None else Actor("user", user.id, user.name)
                targets = {"connection_id": connection.id}
                deed = Deed(actor, name, targets, None, counts, status, code, request.id, connection.address)
                services.of(AuditLog).note(deed)

    return noted


@asynccontextmanager
async def running(services: Services) -> AsyncIterator[None]:
    """Write while the server runs; forget what is older than the operator wants, and what nobody did earlier."""
    days = services.settings.audit_retention_days
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(services.of(AuditLog).running())
        await stack.enter_async_context(_forgotten(services, STRANGERS_KEPT_DAYS, Wanted(known=False)))
        if days:
            await stack.enter_async_context(_forgotten(services, days, Wanted()))
        yield


def _forgotten(services: Services, days: int, unwanted: Wanted) -> AbstractAsyncContextManager[None]:
    async def delete_old(session: AsyncSession, at_most: int) -> int:
        return await store.delete_some(session, unwanted._replace(until=utc_now() - timedelta(days=days)), at_most)

    return swept(services, "the audit log", delete_old, every_s=SWEEP_EVERY_S)
