"""How the audit log is written: gathered, bounded, never changed, and swept."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api_tests.clock import Clock
from api_tests.db.beside import others_write, rows
from api_tests.features.bare import bare_services
from api_tests.hub.recording import tab
from api_tests.waiting import MS, eventually
from app.db.session import Database
from app.features import gathering, sweeping
from app.features.audit import AuditLog, admin_action, by_command, recorder
from app.features.broadcasts.routes import NewBroadcast
from app.kernel.clock import utc_now
from app.kernel.errors import Unclear
from app.kernel.ids import first_id_of
from app.settings import Settings
from app.web.deeds import NOBODY, Actor, Deed, audience_of

IDS = [f"{number:02}" for number in range(30)]
OTHERS = "SELECT actor, times FROM audit_events WHERE operation = 'others'"
COUNTED = "SELECT count(*), sum(times) FROM audit_events"
DEED = Deed(Actor("key", "k", "shop"), "do", {}, None, {}, 200, "", "req", "192.0.2.1")
REFUSED = DEED._replace(actor=NOBODY, status=401, code="unauthenticated")

pytestmark = pytest.mark.usefixtures("hasty")


@pytest.fixture
def slow_log(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> AuditLog:
    """One that writes at its end."""
    monkeypatch.setattr(recorder, "PAUSE_S", 3600)
    monkeypatch.setattr(recorder, "REFUSALS_S", 3600)
    monkeypatch.setattr(recorder, "STRANGERS_S", 3600)
    return AuditLog(bare_services(settings, database))


async def record(database: Database, deed: Deed) -> None:
    """Write it down now."""
    async with database.transaction() as session:
        await recorder.record(session, deed)


async def test_a_handler_that_breaks_is_in_it_too(settings: Settings, database: Database) -> None:
    services = bare_services(settings, database)
    page = tab(services.hub, "ada").connection

    async def breaks(*_: object) -> None:
        raise ZeroDivisionError

    async with services.of(AuditLog).running():
        with pytest.raises(ZeroDivisionError):
            await admin_action("x", breaks)(services, msgspec.convert({"id": "r"}, recorder.Request), page)
    found = rows(settings, "SELECT actor_id, operation, status, code, request_id FROM audit_events")
    assert [("ada", "x", 500, "internal_error", "r")] == found


async def test_a_flood_of_refusals_makes_few_rows_that_count_all(settings: Settings, slow_log: AuditLog) -> None:
    async with slow_log.running():
        for number in range(5_000):
            slow_log.note(REFUSED._replace(address=f"198.51.{number // 250}.{number % 250}"))
            slow_log.note(REFUSED)
    assert [(recorder.MAX_STRANGERS + 1, 10_000)] == rows(settings, COUNTED)
    assert [("nobody", 4_981)] == rows(settings, OTHERS)


async def test_a_key_that_is_refused_much_makes_few_rows_that_count_all(settings: Settings, slow_log: AuditLog) -> None:
    async with slow_log.running():
        for number in range(1_000):
            slow_log.note(DEED._replace(status=403, operation=f"operation {number}"))
    assert [(recorder.MAX_ALIKE + 1, 1_000)] == rows(settings, COUNTED)
    assert [("several", 900)] == rows(settings, OTHERS)


async def test_a_stranger_hides_nothing_that_a_known_key_was_refused(settings: Settings, slow_log: AuditLog) -> None:
    async with slow_log.running():
        for number in range(200):
            slow_log.note(REFUSED._replace(operation=f"operation {number}"))
            slow_log.note(REFUSED._replace(address=f"192.0.3.{number}"))
        slow_log.note(DEED._replace(status=403))
    assert [("do",)] == rows(settings, "SELECT operation FROM audit_events WHERE actor_id = 'k'")
    assert [(200,)] == rows(settings, "SELECT times FROM audit_events WHERE address = '192.0.2.1' AND actor = 'nobody'")


async def test_a_commit_that_may_be_stored_is_tried_again_and_neither_lost_nor_counted_twice(
    settings: Settings, slow_log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, unclear = Database.write, [Unclear("stored"), Unclear("stored")]

    async def write_and_lose(*arguments: Any, **how: Any) -> None:
        await write(*arguments, **how)
        if unclear:
            raise unclear.pop()

    monkeypatch.setattr(Database, "write", write_and_lose)
    for counted in (slow_log._done, slow_log._refused):
        slow_log.note(DEED)
        slow_log.note(DEED._replace(status=403))
        with pytest.raises(Unclear):
            await counted.gathering.flush()
    for _ in range(2):
        slow_log.note(DEED)
        slow_log.note(DEED._replace(status=403))
    async with slow_log.running():
        pass
    found = rows(settings, "SELECT status, sum(times) FROM audit_events GROUP BY status ORDER BY status")
    assert [(200, 4), (403, 4)] == found


async def test_what_comes_while_others_are_written_is_neither_lost_nor_written_twice(
    settings: Settings, slow_log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, left = Database.write, [REFUSED] * 2

    async def write_while_more_come(*arguments: Any, **how: Any) -> None:
        await write(*arguments, **how)
        if left:
            for _ in range(2):
                slow_log.note(left[0])
            left.pop()

    monkeypatch.setattr(Database, "write", write_while_more_come)
    async with slow_log.running():
        slow_log.note(REFUSED)
    assert [(1,), (2,), (2,)] == rows(settings, "SELECT times FROM audit_events ORDER BY times")


async def test_what_waits_for_a_database_that_is_away_is_bounded_and_counted(settings: Settings, slow_log: AuditLog) -> None:
    slow_log._done._at_most = 3  # in place of 10,000
    async with slow_log.running():
        for _ in range(10):
            slow_log.note(DEED)
    assert [("do", 1)] * 3 + [("others", 7)] == rows(settings, "SELECT operation, times FROM audit_events ORDER BY operation")


@pytest.mark.usefixtures("impatient")
async def test_events_wait_while_the_database_is_busy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]
) -> None:
    monkeypatch.setattr(gathering, "RETRY_S", 1 * MS)
    database = Database(settings.database_url)
    log = AuditLog(bare_services(settings, database))
    async with log.running(), others_write(settings):
        log.note(DEED)
        await eventually(lambda: "is tried again" in logged())
    assert [(1, 1)] == rows(settings, COUNTED)
    await database.close()


async def test_what_is_in_it_is_never_changed(settings: Settings, database: Database) -> None:
    await record(database, DEED)
    with pytest.raises(DBAPIError, match="never changed"):
        async with database.transaction() as session:
            await session.execute(text("UPDATE audit_events SET actor_name = 'nobody'"))
    assert [("shop",)] == rows(settings, "SELECT actor_name FROM audit_events")


async def test_what_cannot_be_stored_in_a_text_is_left_out(settings: Settings, slow_log: AuditLog) -> None:
    async with slow_log.running():
        slow_log.note(DEED._replace(request_id="a\0b\ud83d" + "x" * 200, targets={"key_id": "\0c"}))
    ((request_id, targets),) = rows(settings, "SELECT request_id, CAST(targets AS text) FROM audit_events")
    assert ("ab?" + "x" * 125, {"key_id": "c"}) == (request_id, json.loads(str(targets)))


async def test_what_is_older_than_the_operator_wants_is_swept_in_steps(
    settings: Settings, database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "AT_ONCE", 2)
    monkeypatch.setattr(sweeping, "REST_S", 0)
    monkeypatch.setattr(recorder, "SWEEP_EVERY_S", 1 * MS)
    ids = iter(UUID(int=first_id_of(utc_now() + timedelta(days=day)).int + day).hex for day in range(5))
    monkeypatch.setattr(recorder, "new_short_id", lambda: next(ids))
    for day in range(5):
        await record(database, DEED._replace(operation=f"day {day}"))
    clock.skip(timedelta(days=5, minutes=1).total_seconds())
    kept = msgspec.structs.replace(settings, audit_retention_days=2)
    async with recorder.running(bare_services(kept, database)):
        await eventually(lambda: [("day 4",)] == rows(settings, "SELECT operation FROM audit_events"))


async def test_what_nobody_did_is_swept_though_all_else_is_kept_for_ever(
    settings: Settings, database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "SWEEP_EVERY_S", 1 * MS)
    old, new = (first_id_of(utc_now() + timedelta(days=day)).int for day in (0, 2))
    ids = iter(UUID(int=number).hex for number in (old, old + 1, old + 2, new))
    monkeypatch.setattr(recorder, "new_short_id", lambda: next(ids))
    for operation, deed in (("kept", DEED), ("command", by_command("x", {})), ("swept", REFUSED), ("new", REFUSED)):
        await record(database, deed._replace(operation=operation))
    clock.skip(timedelta(days=recorder.STRANGERS_KEPT_DAYS + 1).total_seconds())
    async with recorder.running(bare_services(settings, database)):
        query = "SELECT operation FROM audit_events ORDER BY id"
        await eventually(lambda: [("kept",), ("command",), ("new",)] == rows(settings, query))


@pytest.mark.parametrize(
    ("audience", "kept"),
    [
        ({"kind": "everyone"}, {"kind": "everyone"}),
        ({"kind": "near", "latitude": 1, "longitude": 2, "radius_km": 3}, {"kind": "near", "radius_km": 3.0}),
        ({"kind": "users", "ids": IDS}, {"kind": "users", "ids": IDS[:20], "count": 30}),
        (
            {"kind": "any_of", "audiences": [{"kind": "near", "latitude": 1, "longitude": 2, "radius_km": 3}]},
            {"kind": "any_of", "audiences": [{"kind": "near", "radius_km": 3.0}]},
        ),
        ({"kind": "rooms", "ids": [f"{n:0128}" for n in range(20)]}, {"kind": "rooms"}),
    ],
)
def test_an_audience_is_kept_in_few_words(audience: Any, kept: Any) -> None:
    body = {"audience": audience, "target": "#a", "html": "x"}
    assert kept == audience_of(msgspec.convert(body, NewBroadcast))
