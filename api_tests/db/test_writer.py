"""Writes that arrive together: one transaction, in order, and what is wrong with one of them harms no other."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError

from api_tests.db.beside import others_write, rows
from api_tests.db.engine_events import listening
from app.db.base import table_of
from app.db.many import inserting
from app.db.session import BEFORE_COMMIT, Database
from app.db.writes import Kind
from app.features.rooms.model import RoomMemberRow
from app.features.users import UserRow, ensuring, named
from app.kernel.clock import utc_now
from app.kernel.errors import AppError, Conflict, NotFound, Unavailable
from app.kernel.transaction import PublishedInsideTransaction

IDS = "SELECT id FROM users ORDER BY id"
AS_STORED = "SELECT name, CAST(roles AS TEXT), CAST(created_at AS TEXT), last_connected_at, status FROM users ORDER BY id"


def store_users(connection: Connection, ids: Sequence[str]) -> Sequence[str | AppError]:
    """Make users; none of the id `refused`."""
    connection.execute(*ensuring(connection, [named(one) for one in ids if one != "refused"]))
    return [NotFound("it is refused") if one == "refused" else one.upper() for one in ids]


def store_members(connection: Connection, ids: Sequence[str]) -> Sequence[None]:
    """Make users members of a room that does not exist: the database refuses that."""
    now = utc_now()
    statement = insert(table_of(RoomMemberRow))
    connection.execute(statement, [{"room_id": "nowhere", "user_id": one, "joined_at": now} for one in ids])
    return [None] * len(ids)


USERS: Kind[str, str] = Kind("users", store_users)
MEMBERS: Kind[str, None] = Kind("members", store_members)


@contextmanager
def counted_commits() -> Iterator[list[None]]:
    commits: list[None] = []

    def note(_connection: Connection) -> None:
        commits.append(None)

    with listening("commit", note):
        yield commits


async def test_writes_that_arrive_together_are_committed_together_and_each_is_answered(database, settings):
    ids = [f"user-{number:02}" for number in range(50)]
    with counted_commits() as commits:
        answers = await asyncio.gather(*(database.write(USERS, one, lane="a") for one in ids))
    assert [one.upper() for one in ids] == answers
    assert 1 <= len(commits) <= 2
    assert [(one,) for one in ids] == rows(settings, IDS)


async def test_a_refused_one_is_refused_alone(database, settings):
    writes = (database.write(USERS, one, lane="a") for one in ("ada", "refused", "bob"))
    first, refused, last = await asyncio.gather(*writes, return_exceptions=True)
    assert ("ADA", NotFound, "BOB") == (first, type(refused), last)
    assert [("ada",), ("bob",)] == rows(settings, IDS)


async def test_what_the_database_refuses_fails_alone_and_leaves_nothing(database, settings):
    ids = [f"user-{number:02}" for number in range(20)]
    good = [database.write(USERS, one, lane="a") for one in ids]
    bad = [database.write(MEMBERS, one, lane="a") for one in ("user-03", "user-07")]
    outcomes = await asyncio.gather(*good[:5], bad[0], *good[5:], bad[1], return_exceptions=True)
    assert 2 == sum(isinstance(one, IntegrityError) for one in outcomes)
    assert {one.upper() for one in ids} == {one for one in outcomes if isinstance(one, str)}
    assert [(one,) for one in ids] == rows(settings, IDS)
    assert [(0,)] == rows(settings, "SELECT count(*) FROM room_members")


async def test_what_must_be_stored_with_one_write_refuses_that_one_alone(database, settings):
    def refuse(_connection: Connection) -> None:
        message = "not in this name"
        raise Conflict(message)

    async def in_a_name(user_id: str) -> str:
        BEFORE_COMMIT.set(refuse)
        return str(await database.write(USERS, user_id, lane="a"))

    writes = in_a_name("eve"), database.write(USERS, "ada", lane="a"), database.write(USERS, "bob", lane="a")
    refused, *others = await asyncio.gather(*writes, return_exceptions=True)
    assert (Conflict, ["ADA", "BOB"]) == (type(refused), others)
    assert [("ada",), ("bob",)] == rows(settings, IDS)


async def _writes(database: Database, user_id: str) -> str:
    return await database.write(USERS, user_id, lane="a")


async def test_while_others_write_it_is_unavailable_and_later_it_goes_on(impatient, settings, database):
    await database.check()
    async with others_write(settings):
        refused = await asyncio.gather(*(database.write(USERS, one, lane="a") for one in ("ada", "bob")), return_exceptions=True)
        assert [(True, {"Retry-After": "1"})] * 2 == [(isinstance(one, Unavailable), one.headers) for one in refused]
        assert refused[0] is not refused[1]
    assert "ADA" == await database.write(USERS, "ada")
    assert [("ada",)] == rows(settings, IDS)


async def test_what_waits_at_the_end_is_stored(settings):
    database = Database(settings.database_url)
    writing = [asyncio.create_task(_writes(database, one)) for one in ("ada", "bob", "cyd")]
    await asyncio.sleep(0)
    await database.close()
    assert ["ADA", "BOB", "CYD"] == await asyncio.gather(*writing)
    assert [("ada",), ("bob",), ("cyd",)] == rows(settings, IDS)


async def test_nobody_waits_for_a_write_inside_of_a_transaction(database):
    with pytest.raises(PublishedInsideTransaction):
        async with database.transaction():
            await database.write(USERS, "ada")


async def test_many_rows_are_stored_as_one_row_is_and_those_that_are_there_stay(database, settings):
    now = utc_now()
    kept = UserRow(id="ada", name="Ada", roles=["b", "a"], created_at=now, last_connected_at=None)
    async with database.transaction() as session:
        session.add(kept)
        await session.flush()
        new = {"id": "ada", "name": "another", "roles": [], "created_at": now, "last_connected_at": now}
        like = {"id": "bob", "name": "B\u00f6b \"'\n", "roles": ["b", "a"], "created_at": now, "last_connected_at": None}
        await session.execute(*inserting(session, UserRow, [new, like]))
    (ada, *like_ada), (bob, *like_bob) = rows(settings, AS_STORED)
    assert ("Ada", "B\u00f6b \"'\n") == (ada, bob)
    if settings.database_url.startswith("sqlite"):  # PostgreSQL keeps the spaces between, as they came
        assert like_ada == like_bob
    async with database.reading() as session:
        row = await session.get_one(UserRow, "bob")
    assert (["b", "a"], now, None) == (row.roles, row.created_at, row.last_connected_at)
