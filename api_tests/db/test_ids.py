"""Many ids in one statement."""

import pytest
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.orm import Session

from app.db.ids import among
from app.features.users import UserRow, ensure_users

MANY = 50_000
"""More than any database takes as bound values of one statement."""


async def test_more_ids_than_a_statement_may_bind_are_looked_up_at_once(database):
    ids = [f"user-{number}" for number in range(MANY)]
    async with database.transaction() as session:
        await ensure_users(session, ids[::1_000])
    async with database.reading() as session:
        found = (await session.scalars(select(UserRow.id).where(among(session, UserRow.id, ids)))).all()
        none = (await session.scalars(select(UserRow.id).where(among(session, UserRow.id, [])))).all()
    assert (sorted(ids[::1_000]), []) == (sorted(found), none)


@pytest.mark.parametrize("user_id", ['"', "'", "\\", "ä\u2028😀", "a,b", "%", "1", "null", "{}"])
async def test_any_text_may_be_an_id(database, user_id):
    async with database.transaction() as session:
        await ensure_users(session, [user_id, "another"])
    async with database.reading() as session:
        assert [user_id] == (await session.scalars(select(UserRow.id).where(among(session, UserRow.id, [user_id])))).all()


async def test_sqlite_looks_them_up_by_its_index(database):
    async with database.reading() as session:
        query = select(UserRow.name).where(among(session, UserRow.id, ["ada"]))
        compiled = str(query.compile(session.get_bind(), compile_kwargs={"literal_binds": True}))
        connection = await session.connection()
        plan = str((await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")).all())
    assert "SEARCH users USING INDEX" in plan


def test_postgresql_gets_one_array():
    class Postgres(Session):
        def get_bind(self, *_, **__):
            return type("Engine", (), {"dialect": asyncpg.dialect()})

    query = select(UserRow.id).where(among(Postgres(), UserRow.id, ["ada", "bob"]))
    compiled = query.compile(dialect=asyncpg.dialect())
    assert "WHERE users.id = ANY ($1::VARCHAR[])" in str(compiled)
    assert {"param_1": ["ada", "bob"]} == compiled.params
