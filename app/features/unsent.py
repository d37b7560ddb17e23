"""What was answered is pushed, though the process dies between the commit and the push, or the journal is away.

A change of a stored thing notes in its own transaction that it is to be pushed: one row. The push follows the commit; then the row
is deleted behind it, with many others in one statement, and nothing waits for that. A row that gets old was left by a process that
died, or by one that found the journal away, which pushes it again as soon as that is back. Whichever node finds it first pushes the
thing again, as it is by then, to all who hear of it. So a thing is pushed at least once, perhaps twice: then under the same id, so
that clients can drop what they have seen, and in a form that takes the place of what is on the screen already.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
import structlog
from sqlalchemy import JSON, Connection, String, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, UtcDateTime, table_of
from app.db.ids import among
from app.db.many import Row
from app.db.writes import Kind
from app.features.background import Rest, background
from app.features.gathering import RETRY_S, Gathering
from app.features.services import Services
from app.hub.audience import Audience
from app.hub.publication import Publication, Receipt
from app.kernel.clock import utc_now
from app.kernel.errors import NotFound, Unavailable, why
from app.kernel.ids import new_short_id

AGAIN_AFTER_S = 5.0
"""Seconds after which a push that was not done by then is done again. Pages that lost their server with it are back by then."""
LOOK_EVERY_S = 2.0
"""Seconds between two looks for such."""
BACK_EVERY_S = 0.1
"""The same whether the journal is back: what has waited for it leaves at once."""
FORGET_PAUSE_S = 0.5
"""Seconds in which deletions are gathered into one statement."""
AT_ONCE = 200
"""Pushes that are claimed in one step."""

_AWAY = frozenset({"away", "never reached"})
_LONG_AGO = datetime(2, 1, 1, tzinfo=UTC)

_log = structlog.get_logger()


class UnsentRow(Base):
    """One publication of stored things that may not have been made yet."""

    __tablename__ = "unsent"
    __table_args__ = ({"sqlite_with_rowid": False},)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """The publication's id: of two pushes of the same a client drops the second."""
    what: Mapped[str] = mapped_column(String(32))
    """What happened, as `message.edited`: the key of `Feature.pushes_again`."""
    things: Mapped[list[str]] = mapped_column(JSON)
    """To what: ids of stored things."""
    heard_by: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Who hears of it, where the stored thing is gone and cannot tell."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    """When it was noted, or when somebody last began to push it again."""


_TABLE = table_of(UnsentRow)
_NOTE = insert(_TABLE)


class Again(NamedTuple):
    """A publication that is to be made anew, under the same id."""

    id: str
    what: str
    things: Sequence[str]
    heard_by: Audience | None


PushAgain = Callable[[Services, Again], Awaitable[None]]
"""Pushes by `Unsent.push` what the stored things are by now. May raise NotFound: there is nothing to be shown any more."""


def noted(what: str, things: Collection[object], heard_by: Audience | None = None) -> Row:
    """The row of a push that is to be made under its `id`, for `inserting` in the transaction of a change."""
    return {
        "id": new_short_id(),
        "what": what,
        "things": [str(thing) for thing in things],
        "heard_by": None if heard_by is None else msgspec.to_builtins(heard_by),
        "at": utc_now(),
    }


def _forget(connection: Connection, pushed: Sequence[Mapping[str, None]]) -> Sequence[None]:
    ids = [one for some in pushed for one in some]
    connection.execute(delete(_TABLE).where(among(connection, UnsentRow.id, ids)))
    return [None] * len(pushed)


_FORGETTING: Final[Kind[Mapping[str, None], None]] = Kind("unsent", _forget)


class Unsent:
    """The pushes that are noted, made, and made again."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._made: Gathering[str, None] = Gathering(
            "notes of what was pushed", self._forget, pause_s=FORGET_PAUSE_S, keeps_up=True
        )
        self._under_way: set[str] = set()
        self._again: set[str] = set()
        self._left_until = _LONG_AGO
        """When the journal was last found away: what was noted until then need not get old."""

    async def note(self, session: AsyncSession, what: str, things: Collection[object], heard_by: Audience | None = None) -> str:
        """Note in the transaction of a change that it is to be pushed. Returns the id that its publication must have."""
        row = noted(what, things, heard_by)
        await session.execute(_NOTE, row)
        return str(row["id"])

    async def push(self, publication: Publication) -> Receipt:
        """Make a publication that was noted. Where the journal is away, this node hears it now, and all do when that is back."""
        self._under_way.add(publication.id)
        try:
            receipt = await self._services.hub.publish(publication)
        except Unavailable as error:
            self._left_until = utc_now()
            if publication.id in self._again:
                raise
            _log.warning("pushed on this node alone; the others follow", publication=publication.id, **why(error))
            return self._services.hub.deliver_here(publication)
        finally:
            self._under_way.discard(publication.id)
        self.done(publication.id)
        return receipt

    def done(self, publication_id: str) -> None:
        """It was pushed, or there is nothing to be pushed any more."""
        self._made.add(publication_id, None)

    @asynccontextmanager
    async def running(self, pushes_again: Mapping[str, PushAgain]) -> AsyncIterator[None]:
        """Forget what was pushed, and push again what was not, while the block runs."""

        async def look(rest: Rest) -> None:
            while True:
                await rest.sleep(LOOK_EVERY_S)
                while self._services.hub.journal.health().state in _AWAY:
                    await rest.sleep(BACK_EVERY_S)  # what is claimed here is kept from a node that can push it
                try:
                    await self._push_old(pushes_again)
                except Unavailable as error:
                    _log.warning("what is to be pushed again waits", **why(error))
                    await rest.sleep(RETRY_S)
                except Exception:
                    _log.exception("looking for what is to be pushed again failed")

        async with self._made.running(), background("pushes again", look):
            yield

    async def _push_old(self, pushes_again: Mapping[str, PushAgain]) -> None:
        while claimed := await self._claim(pushes_again):
            for again in claimed:
                await self._push_again(pushes_again[again.what], again)

    async def _push_again(self, push: PushAgain, again: Again) -> None:
        """Raises Unavailable; then it is tried again later. What fails otherwise is given up."""
        self._again.add(again.id)
        try:
            with suppress(NotFound):
                await push(self._services, again)
        except Unavailable:
            raise
        except Exception:
            _log.exception("could not be pushed again and is given up", publication=again.id, what=again.what, things=again.things)
        finally:
            self._again.discard(again.id)
        self.done(again.id)

    async def _claim(self, known: Collection[str]) -> Sequence[Again]:
        """Old ones that nobody pushes, oldest first: they are ours for `AGAIN_AFTER_S`. What only another version knows is left.

        What was noted before the journal was found away counts as old.
        """
        until = max(utc_now() - timedelta(seconds=AGAIN_AFTER_S), self._left_until)
        is_old = _TABLE.c.at <= until, _TABLE.c.what.in_(sorted(known))
        database = self._services.database
        async with database.reading() as session:
            found = await session.scalars(select(_TABLE.c.id).where(*is_old).order_by(_TABLE.c.id).limit(AT_ONCE))
            old = [one for one in found if one not in self._made and one not in self._under_way]
        if not old:
            return ()
        columns = _TABLE.c.id, _TABLE.c.what, _TABLE.c.things, _TABLE.c.heard_by
        async with database.transaction() as session:
            claim = update(_TABLE).where(among(session, UnsentRow.id, old), *is_old).values(at=utc_now()).returning(*columns)
            rows = (await session.execute(claim)).all()
        _log.info("pushing again", count=len(rows))
        return [Again(row.id, row.what, row.things, _audience(row.heard_by)) for row in sorted(rows, key=lambda row: row.id)]

    async def _forget(self, publication_ids: Mapping[str, None]) -> None:
        await self._services.database.write(_FORGETTING, publication_ids, rows=len(publication_ids))


def _audience(stored: dict[str, Any] | None) -> Audience | None:
    audience: Audience | None = msgspec.convert(stored, Audience | None)
    return audience
