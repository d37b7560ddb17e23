"""Many ids in one statement."""

import pytest
from sqlalchemy import select

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
