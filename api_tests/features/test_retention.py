"""Old messages are deleted, in small steps, by one node; and everything else stays."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import Connection, select

from api_tests.features.bare import bare_services
from api_tests.features.statements import counted_statements
from api_tests.server import run_server
from api_tests.waiting import MS, eventually, eventually_told
from app.db.session import BEFORE_COMMIT, Database
from app.features import sweeping
from app.features.messages import service
from app.features.messages.model import MessageRow
from app.features.messages.service import Retention
from app.features.rooms import create_room
from app.features.services import Services
from app.features.users import ensure_users
from app.hub.hooks import Hooks
from app.hub.lease import Owner
from app.kernel.clock import utc_now
from app.kernel.errors import Unavailable
from app.kernel.ids import first_id_of
from app.settings import Settings

KEPT_DAYS = 2


@pytest.fixture
def services(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> Services:
    """They look all the time, and delete two at once."""
    monkeypatch.setattr(service, "SWEEP_EVERY_S", 1 * MS)
    monkeypatch.setattr(sweeping, "REST_S", 0)
    monkeypatch.setattr(sweeping, "AT_ONCE", 2)
    return bare_services(msgspec.structs.replace(settings, message_retention_days=KEPT_DAYS), database)


async def say_days_ago(services: Services, *days: float) -> None:
    """One in a room and one to a user, so many days ago."""
    await create_room(services, "lobby", "Lobby", is_private=False)
    async with services.database.transaction() as session:
        await ensure_users(session, ["ada"])
        for number, day in enumerate(days):
            at = utc_now() - timedelta(days=day)
            for further, place in enumerate(({"room_id": "lobby"}, {"recipient_id": "ada"})):
                message_id = UUID(int=first_id_of(at).int + 2 * number + further)
                session.add(MessageRow(id=message_id, author="ada", content=f"{day}", created_at=at, **place))


async def kept(services: Services) -> Sequence[str]:
    async with services.database.reading() as session:
        return (await session.scalars(select(MessageRow.content).order_by(MessageRow.id))).all()


async def test_what_is_older_than_the_operator_wants_is_deleted_in_steps(services):
    await say_days_ago(services, 9, 3, 2.1, 1.9, 0)
    with counted_statements() as statements:
        async with Retention(services).running():
            await eventually(lambda: 3 <= sum(one.startswith("DELETE FROM messages") for one in statements))
    assert ["1.9", "1.9", "0", "0"] == await kept(services)


def once_lost(times: list[str]) -> Callable[[Connection], None]:
    """In place of the first commit."""

    def lose(_connection: Connection) -> None:
        if not times:
            times.append("lost")
            message = "the database is away"
            raise Unavailable(message)

    return lose


async def test_what_a_commit_that_failed_would_have_deleted_is_deleted_later(services):
    await say_days_ago(services, 9, 3, 1)
    lost: list[str] = []
    before = BEFORE_COMMIT.set(once_lost(lost))  # of the task that sweeps, too: it begins with what is set here
    try:
        async with Retention(services).running():
            await eventually(lambda: lost)
            await eventually_told(lambda: _are_gone(services))
    finally:
        BEFORE_COMMIT.reset(before)


async def test_what_a_restored_database_has_again_is_deleted_again(services):
    await say_days_ago(services, 9, 1)
    async with Retention(services).running():
        await eventually_told(lambda: _are_gone(services))
        async with services.database.transaction() as session:
            at = utc_now() - timedelta(days=10)
            session.add(MessageRow(id=first_id_of(at), author="ada", content="10", created_at=at, room_id="lobby"))
        services.hub.journal.begin_anew()  # as it does for another database
        await eventually_told(lambda: _are_gone(services))


class LeaseElsewhere:
    """Another node has it. Counts how often it is asked."""

    on_change = Hooks("lease")
    asked = 0

    @property
    def owner(self) -> Owner:
        self.asked += 1
        return Owner.ELSEWHERE


async def test_a_node_deletes_only_while_it_does_what_is_done_once(services):
    await say_days_ago(services, 3, 1)
    lease = LeaseElsewhere()
    elsewhere = Services(services.settings, services.database, services.hub, services.tokens, lease=lease)
    async with Retention(elsewhere).running():
        await eventually(lambda: 3 <= lease.asked)
    assert ["3", "3", "1", "1"] == await kept(services)
    async with Retention(services).running():
        await eventually_told(lambda: _are_gone(services))


async def _are_gone(services: Services) -> bool:
    return ["1", "1"] == await kept(services)


async def test_without_the_setting_all_is_kept(services, settings):
    await say_days_ago(services, 4_000)
    async with run_server(settings) as server:
        assert 0 == server.settings.message_retention_days
        assert ["4000", "4000"] == await kept(services)
