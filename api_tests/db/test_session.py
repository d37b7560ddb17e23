"""Transactions: all or nothing, and what is left is on disk."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, StatementError

from api_tests.db.beside import others_write, rows
from api_tests.hub.recording import make_hub
from api_tests.waiting import SOON_S
from app.db.base import UtcDateTime
from app.features.announcements.model import AnnouncementRow
from app.features.follows.model import FollowRow
from app.features.messages.model import MessageRow
from app.features.notifications.model import NotificationRow
from app.features.rooms.model import RoomRow
from app.features.users import UserRow
from app.hub.audience import everyone
from app.hub.publication import one
from app.kernel.clock import utc_now
from app.kernel.errors import Unavailable
from app.kernel.ids import new_id
from app.kernel.transaction import PublishedInsideTransaction
from app.wire.update import Update

IDS = "SELECT id FROM users ORDER BY id"


def user(user_id: str) -> UserRow:
    return UserRow(id=user_id, name=user_id.title(), roles=[], created_at=utc_now())


async def test_what_a_transaction_has_left_is_on_disk(database, settings):
    async with database.transaction() as session:
        session.add(user("ada"))
        await session.flush()
        assert [] == rows(settings, IDS)
    assert [("ada",)] == rows(settings, IDS)


async def test_a_transaction_that_fails_leaves_nothing(database, settings):
    async def fail() -> None:
        async with database.transaction() as session:
            session.add(user("ada"))
            await session.flush()
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert [] == rows(settings, IDS)
    async with database.transaction() as session:
        session.add(user("bob"))
    assert [("bob",)] == rows(settings, IDS)


async def test_a_transaction_that_is_cancelled_leaves_nothing_and_lets_the_next_one_in(database, settings):
    written = asyncio.Event()

    async def hang() -> None:
        async with database.transaction() as session:
            session.add(user("ada"))
            await session.flush()
            written.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await written.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(SOON_S), database.transaction() as session:
        session.add(user("bob"))
    assert [("bob",)] == rows(settings, IDS)


async def test_publishing_inside_a_transaction_is_refused_and_behind_it_is_not(database):
    hub = make_hub()
    news = one(everyone, Update("#a", "x"))
    with pytest.raises(PublishedInsideTransaction):
        async with database.transaction():
            await hub.publish(news)
    async with database.reading():
        assert 0 == (await hub.publish(news)).matched


@pytest.mark.parametrize("places", [{}, {"room_id": "lobby", "recipient_id": "ada"}], ids=["nowhere", "in a room and to a user"])
async def test_a_message_is_in_a_room_or_to_a_user_and_never_both(database, places):
    now = utc_now()
    async with database.transaction() as session:
        session.add_all([user("ada"), RoomRow(id="lobby", name="Lobby", is_private=False, created_at=now)])
    with pytest.raises(IntegrityError, match="ck_messages_one_place"):
        async with database.transaction() as session:
            session.add(MessageRow(id=new_id(), author="x", content="x", created_at=now, **places))


async def test_nobody_follows_themselves_in_the_table_either(database):
    async with database.transaction() as session:
        session.add(user("ada"))
    with pytest.raises(IntegrityError, match="ck_follows_not_oneself"):
        async with database.transaction() as session:
            session.add(FollowRow(follower_id="ada", followee_id="ada", created_at=utc_now()))


async def test_foreign_keys_and_checks_hold(database, settings):
    now = utc_now()
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        async with database.transaction() as session:
            session.add(NotificationRow(id=new_id(), user_id="nobody", type="info", title="x", message="", created_at=now))
    with pytest.raises(IntegrityError, match="ck_announcements_priority"):
        async with database.transaction() as session:
            session.add(AnnouncementRow(id=new_id(), title="x", message="x", priority="urgent", author="x", created_at=now))
    async with database.transaction() as session:
        session.add(user("ada"))
        await session.flush()
        session.add(NotificationRow(id=new_id(), user_id="ada", type="info", title="x", message="", created_at=now))
    async with database.transaction() as session:
        await session.execute(text("DELETE FROM users"))
    assert [(0,)] == rows(settings, "SELECT count(*) FROM notifications")


async def test_while_others_write_the_answer_is_unavailable_and_later_it_goes_on(impatient, settings, database):
    await database.check()
    async with others_write(settings):
        with pytest.raises(Unavailable, match="nothing was stored") as refused:
            async with database.transaction() as session:
                session.add(user("ada"))
        assert {"Retry-After": "1"} == refused.value.headers
        assert refused.value.__notes__[0].endswith(("database is locked", "canceling statement due to lock timeout"))
        async with database.reading() as session:  # readers need not wait
            assert [] == (await session.scalars(text(IDS))).all()
    async with database.transaction() as session:
        session.add(user("ada"))
    assert [("ada",)] == rows(settings, IDS)


async def test_times_are_stored_in_utc_and_come_back_aware(database, settings):
    east = datetime(2026, 11, 23, 21, 16, 3, tzinfo=timezone(timedelta(hours=1)))
    async with database.transaction() as session:
        session.add(UserRow(id="ada", name="Ada", roles=[], created_at=east))
    async with database.reading() as session:
        row = await session.get(UserRow, "ada")
    assert (east, UTC, None) == (row.created_at, row.created_at.tzinfo, row.last_connected_at)
    assert [(1,)] == rows(settings, "SELECT count(*) FROM users WHERE CAST(created_at AS TEXT) LIKE '2026-11-23 20:16:03%'")


async def test_a_time_without_a_time_zone_is_refused(database, settings):
    with pytest.raises(StatementError, match="without a time zone"):
        async with database.transaction() as session:
            session.add(UserRow(id="ada", name="Ada", roles=[], created_at=datetime(2026, 1, 1)))  # noqa: DTZ001 - that is the point
    assert [] == rows(settings, IDS)


async def test_a_time_that_a_database_kept_aware_stays_as_it_is(database):
    aware = utc_now()
    assert aware is UtcDateTime().process_result_value(aware, database.engine.dialect)


async def test_the_connection_that_was_used_last_is_used_next(database):
    used = []

    async def read() -> None:
        async with database.reading() as session:
            used.append((await (await session.connection()).get_raw_connection()).driver_connection)
            await session.execute(text("SELECT 1"))

    await asyncio.gather(read(), read(), read())
    assert len(set(used)) == 3
    for _ in range(3):
        await read()
    assert len(set(used[3:])) == 1
