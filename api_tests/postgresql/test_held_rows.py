"""Rows that somebody else holds: who needs them waits for them, and finds them as they are then; nobody else waits."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from contextvars import Context
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from api_tests.db.beside import rows, storing
from api_tests.features.bare import bare_services
from api_tests.waiting import SOON_S, eventually
from app.db import postgresql
from app.db.base import table_of
from app.db.postgresql import Postgresql
from app.db.session import Database
from app.features.messages import send_to_room
from app.features.notifications import service as notifications
from app.features.notifications.store import ARRIVING, Arriving, Counts
from app.features.rooms import create_room
from app.features.services import Services
from app.features.unsent import AGAIN_AFTER_S, Unsent, UnsentRow, noted
from app.features.users import hold_users
from app.kernel.clock import utc_now
from app.kernel.errors import NotFound, Unavailable
from app.settings import Settings

ROOMS = [f"room-{number}" for number in range(6)]
PEOPLE = [f"user-{number}" for number in range(6)]
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
def services(settings: Settings, database: Database) -> Services:
    return bare_services(settings, database)


@asynccontextmanager
async def holding(settings: Settings, statement: str) -> AsyncIterator[None]:
    """Somebody else holds what the statement touches."""
    async with storing(settings) as session:
        await session.execute(text(statement))
        yield


@asynccontextmanager
async def one_lane(settings: Settings, monkeypatch: pytest.MonkeyPatch, *, waits_ms: int) -> AsyncIterator[Services]:
    """All writes share a lane, and one that is aside waits for so long."""
    monkeypatch.setattr(Postgresql, "lanes", 1)
    monkeypatch.setattr(postgresql, "LOCK_TIMEOUT_MS", waits_ms)
    database = Database(settings.database_url)
    try:
        yield bare_services(settings, database)
    finally:
        await database.close()


def begun(work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    """In a context of its own: it is in no transaction of the test."""
    return asyncio.get_running_loop().create_task(work, context=Context())


async def waits(settings: Settings, task: "asyncio.Task[Any]") -> None:
    """Until the task waits for somebody else, if it does."""
    await eventually(lambda: task.done() or rows(settings, WAITING) == [(1,)])


def say(services: Services, room: str) -> Coroutine[Any, Any, Any]:
    return send_to_room(services, room, "x", sender=None, author="office")


def tell(services: Services, *people: str) -> Coroutine[Any, Any, notifications.Sent]:
    return notifications.notify(services, user_ids=people, kind="info", title="x", message="")


async def test_a_room_that_is_held_keeps_no_other_one_waiting_and_goes_on_when_it_is_free(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with one_lane(settings, monkeypatch, waits_ms=20_000) as services:
        for room in ROOMS:
            await create_room(services, room, room, is_private=False)
        async with holding(settings, "SELECT 1 FROM rooms WHERE id = 'room-0' FOR UPDATE"):
            held = [begun(say(services, ROOMS[0])) for _ in range(3)]
            async with asyncio.timeout(SOON_S):
                others = await asyncio.gather(*(begun(say(services, room)) for room in ROOMS[1:] * 3), return_exceptions=True)
            assert not any(task.done() for task in held)
        await asyncio.gather(*held)
    assert [] == [outcome for outcome in others if isinstance(outcome, Exception)]
    assert [(room, 3) for room in ROOMS] == rows(settings, "SELECT room_id, count(*) FROM messages GROUP BY 1 ORDER BY 1")


async def test_a_user_who_is_held_keeps_no_other_one_waiting_and_is_refused_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with one_lane(settings, monkeypatch, waits_ms=300) as services:
        await tell(services, *PEOPLE)
        async with holding(settings, "UPDATE users SET name = 'x' WHERE id = 'user-0'"):
            told = [begun(tell(services, one)) for one in PEOPLE * 2]
            outcomes = await asyncio.gather(*told, return_exceptions=True)
        refused = [one for one, outcome in zip(PEOPLE * 2, outcomes, strict=True) if isinstance(outcome, Unavailable)]
        assert ["user-0"] * 2 == refused
        assert [(6 + 10,)] == rows(settings, "SELECT count(*) FROM notifications")
        await tell(services, PEOPLE[0])


async def test_what_is_told_of_an_inbox_counts_what_others_have_just_stored(settings: Settings, services: Services) -> None:
    await tell(services, "ada")
    async with services.database.transaction() as session:
        await hold_users(session, ["ada"])
        await session.execute(text("UPDATE notifications SET read_at = created_at"))
        row = notifications.new("ada", kind="info", title="x", message="")
        arriving = Arriving([row], [noted(notifications.ARRIVED, [row.id])])
        arrival = begun(services.database.write(ARRIVING, arriving))
        await waits(settings, arrival)
    assert {"ada": Counts(unread=1, unseen=2)} == (await arrival).waiting


async def test_what_is_said_in_a_room_that_is_just_deleted_is_refused(settings: Settings, services: Services) -> None:
    await create_room(services, "lobby", "Lobby", is_private=False)
    async with storing(settings) as session:
        await session.execute(text("DELETE FROM rooms"))
        saying = begun(say(services, "lobby"))
        await waits(settings, saying)
    with pytest.raises(NotFound):
        await saying
    assert [(0,)] == rows(settings, "SELECT count(*) FROM unsent")


async def test_what_another_node_has_just_claimed_is_not_pushed_by_two(settings: Settings, services: Services) -> None:
    unsent = Unsent(services)
    async with services.database.transaction() as session:
        await unsent.note(session, "thing.changed", ["1"])
        await session.execute(update(table_of(UnsentRow)).values(at=utc_now() - timedelta(seconds=2 * AGAIN_AFTER_S)))
    async with storing(settings) as session:
        await session.execute(update(table_of(UnsentRow)).values(at=utc_now()))
        claiming = begun(unsent._claim(["thing.changed"]))
        await waits(settings, claiming)
    assert [] == list(await claiming)
