"""What several writers do at once. SQLite has one writer and lets them in one after the other; here they meet."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextvars import Context
from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import text

from api_tests.client import ApiClient
from api_tests.db.beside import rows, storing
from api_tests.hub.recording import make_hub
from api_tests.server import Running
from api_tests.waiting import eventually
from app.db.insert import ensure
from app.db.session import Database
from app.features.announcements import service as announcements
from app.features.announcements import store as announcement_store
from app.features.announcements.model import new
from app.features.notifications import service as notifications
from app.features.rooms.model import RoomRow
from app.features.services import Services
from app.kernel.clock import utc_now
from app.kernel.errors import NotFound
from app.settings import Settings

AT_ONCE = 8
TURNS = 10


async def both_waiting(settings: Settings, count: int) -> None:
    """Wait until so many transactions wait for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    await eventually(lambda: [(count,)] == rows(settings, waiting))


@pytest.fixture
async def nodes(settings: Settings) -> AsyncIterator[list[Services]]:
    """Two that share the database."""
    nodes = [Services(settings, Database(settings.database_url), make_hub(), None) for _ in range(2)]
    yield nodes
    for node in nodes:
        await node.database.close()


async def statuses(api: ApiClient, method: str, path: str, body: object = None) -> Counter[int]:
    """What is answered to many who ask the same at once."""
    answers = await asyncio.gather(*(api.call(method, path, body) for _ in range(AT_ONCE)))
    return Counter(answer.status_code for answer in answers)


async def test_of_many_who_make_the_same_one_makes_it(api: ApiClient, settings: Settings) -> None:
    others = AT_ONCE - 1
    for turn in range(TURNS):
        room, user = f"room-{turn}", f"user-{turn}"
        assert {201: 1, 409: others} == await statuses(api, "POST", "/rooms", {"id": room})
        assert {201: 1, 200: others} == await statuses(api, "PUT", f"/users/{user}", {"name": "x"})
        assert {201: 1, 200: others} == await statuses(api, "POST", "/follows", {"follower_id": user, "followee_id": "ada"})
        assert {200: AT_ONCE} == await statuses(api, "PUT", f"/rooms/{room}/members/{user}")
        assert {200: AT_ONCE} == await statuses(api, "PUT", "/dashboard/figures", {"orders": turn})
        assert {204: 1, 404: others} == await statuses(api, "DELETE", f"/rooms/{room}")
    assert [(TURNS,)] == rows(settings, "SELECT count(*) FROM notifications WHERE user_id = 'ada'")
    assert [(TURNS,)] == rows(settings, "SELECT count(*) FROM follows")
    assert [(1,)] == rows(settings, "SELECT count(*) FROM dashboard_figures")


async def test_who_joins_while_the_room_is_made_and_deleted_is_in_or_refused_and_nothing_fails(
    server: Running, api: ApiClient, logged: Callable[[], str]
) -> None:
    async def joins(number: int) -> None:
        async with server.socket(f"user-{number}") as page:
            for _ in range(TURNS):
                answer = await page.ask("join-room", {"roomId": "lobby"})
                assert any(words in answer["html"] for words in ("Joined room lobby", "This room cannot be joined"))

    async def deletes() -> None:
        while True:
            assert (await api.delete("/rooms/lobby")).status_code in {204, 404}

    deleting = asyncio.create_task(deletes())
    async with asyncio.timeout(20):
        await asyncio.gather(*(joins(number) for number in range(AT_ONCE)))
    deleting.cancel()
    await asyncio.gather(deleting, return_exceptions=True)
    assert "failed" not in logged()


async def test_a_row_that_is_deleted_between_two_looks_is_made_anew(settings: Settings, nodes: list[Services]) -> None:
    """Somebody has deleted the room and not committed yet; then commits. Whoever makes the same room gets a room."""
    new = {"id": "lobby", "name": "Lobby", "is_private": False, "created_at": utc_now()}
    async with storing(settings) as session:
        await ensure(session, RoomRow, new)

    async def make() -> tuple[str, bool]:
        async with nodes[0].database.transaction() as session:
            row, is_new = await ensure(session, RoomRow, new)
            return row.id, is_new

    async with nodes[1].database.transaction() as session:
        await session.execute(text("DELETE FROM rooms"))
        making = asyncio.create_task(make())
        await both_waiting(settings, 1)
    assert ("lobby", True) == await making
    assert [("lobby",)] == rows(settings, "SELECT id FROM rooms")


async def test_two_who_read_at_once_leave_a_count_that_is_right(nodes: list[Services]) -> None:
    """What each is told of is what there is: of two at once, the second one counts what the first has left."""
    made, *_ = await notifications.notify(nodes[0], user_ids=["ada"] * 1, kind="info", title="x", message="")
    ids = [made[0].id]
    for _ in range(2 * TURNS - 1):
        made, *_ = await notifications.notify(nodes[0], user_ids=["ada"], kind="info", title="x", message="")
        ids.append(made[0].id)
    marking = (notifications.mark(nodes[number % 2], one, "read", on=True) for number, one in enumerate(ids))
    told = sorted(marked.waiting.unread for marked in await asyncio.gather(*marking))
    assert list(range(2 * TURNS)) == told


async def test_an_edit_that_meets_its_hour_is_shown(clock, settings: Settings, nodes: list[Services]) -> None:
    """One node edits what the other one is about to show: the edit waits, and finds it shown."""
    how = {"title": "News", "priority": "high", "author": "test"}
    row = (await announcements.announce(nodes[0], new(message="old", publish_at=utc_now() + timedelta(seconds=60), **how))).row
    clock.skip(120)

    class Change(msgspec.Struct):
        message: str

    async with nodes[0].database.transaction() as session:
        assert await announcement_store.claim(session, row.id, utc_now()) is not None
        edit = announcements.edit(nodes[1], row.id, Change("new"))
        editing = asyncio.create_task(edit, context=Context())  # it is in no transaction of ours
        await both_waiting(settings, 1)
    edited = await editing
    assert ("in_force", "new") == (edited.state, edited.message)


async def test_of_two_who_recall_one_does(nodes: list[Services]) -> None:
    for _ in range(TURNS):
        row = (await announcements.announce(nodes[0], new(message="x", title="x", priority="low", author="test"))).row
        outcomes = await asyncio.gather(*(announcements.recall(node, row.id) for node in nodes), return_exceptions=True)
        assert {None: 1, NotFound: 1} == Counter(outcome if outcome is None else type(outcome) for outcome in outcomes)
