"""Keys: when one was last used, what the store says of them, and the very first one."""

from datetime import datetime, timedelta

import pytest

from api_tests.db.beside import others_write, rows
from api_tests.waiting import eventually
from app.auth.keys import Caller, NewKey
from app.auth.scopes import ADMIN
from app.db.session import Database
from app.features.keys import KeyUsage, NewKeyRequest, all_keys, create_key, find_record, first_key, revoke_key, usage
from app.kernel.clock import utc_now
from app.kernel.errors import Forbidden, InvalidFields, NotFound

OWNER = Caller("", "owner", frozenset({ADMIN}))
USED = "SELECT name FROM api_keys WHERE last_used_at IS NOT NULL ORDER BY name"


async def make(database: Database, name: str) -> str:
    async with database.transaction() as session:
        row, _ = create_key(session, NewKeyRequest(name, frozenset({ADMIN})), OWNER)
    return row.key_id


async def revoke(database: Database, key_id: str) -> datetime:
    async with database.transaction() as session:
        return (await revoke_key(session, key_id, OWNER)).revoked_at


async def make_first(database: Database) -> NewKey | None:
    async with database.transaction() as session:
        return await first_key(session)


async def test_all_uses_are_written_down_and_only_those(database, settings):
    keys = {name: await make(database, name) for name in "abc"}
    noted = KeyUsage(database)
    await noted.flush()
    assert [] == rows(settings, USED)
    for name in "acca":
        noted.used(keys[name])
    noted.used("revoked long ago and gone")
    await noted.flush()
    assert [("a",), ("c",)] == rows(settings, USED)


async def test_a_database_that_is_away_loses_no_use(impatient, settings, database, logged):
    one, two = await make(database, "one"), await make(database, "two")
    noted = KeyUsage(database)
    noted.used(one)
    noted.used(two)
    async with others_write(settings):
        await noted.flush()
        assert "last use of keys not written down yet" in logged()
        between = utc_now()
        noted.used(two)
    await noted.flush()
    async with database.reading() as session:
        first, second = await all_keys(session)
    assert first.last_used_at < between <= second.last_used_at


async def test_uses_are_written_down_while_it_runs_and_at_its_end(database, settings, monkeypatch):
    monkeypatch.setattr(usage, "WRITE_EVERY_S", 0.01)
    noted = KeyUsage(database)
    one, two = await make(database, "one"), await make(database, "two")
    async with noted.running():
        noted.used(one)
        await eventually(lambda: [("one",)] == rows(settings, USED))
    monkeypatch.setattr(usage, "WRITE_EVERY_S", 3600)
    async with noted.running():
        noted.used(two)
    assert [("one",), ("two",)] == rows(settings, USED)


async def test_the_first_key_is_made_once(database):
    first = await make_first(database)
    async with database.reading() as session:
        record = await find_record(session, first.id)
        assert await find_record(session, "nobody") is None
    assert (first.digest, frozenset({ADMIN})) == (record.digest, record.scopes)
    assert await make_first(database) is None
    await revoke(database, first.id)
    assert await make_first(database) is None  # whoever revoked it meant it


async def test_a_key_stays_revoked_as_of_the_first_time(database):
    key_id = await make(database, "one")
    first = await revoke(database, key_id)
    assert first == await revoke(database, key_id)
    with pytest.raises(NotFound):
        await revoke(database, "nobody")


@pytest.mark.parametrize(
    ("scopes", "expires_in", "maker", "refusal"),
    [
        ({"planets:read"}, None, OWNER, InvalidFields),
        ({ADMIN}, timedelta(0), OWNER, InvalidFields),
        ({ADMIN}, None, Caller("", "small", frozenset({"keys:admin"})), Forbidden),
    ],
)
async def test_a_key_that_cannot_be_is_not_stored(database, settings, scopes, expires_in, maker, refusal):
    expires_at = None if expires_in is None else utc_now() + expires_in
    with pytest.raises(refusal):
        async with database.transaction() as session:
            create_key(session, NewKeyRequest("x", frozenset(scopes), expires_at), maker)
    assert [(0,)] == rows(settings, "SELECT count(*) FROM api_keys")
