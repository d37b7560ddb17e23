"""Queries on users. The number of statements does not depend on the number of users.

Rows are made and changed in the order of their ids: two nodes that write down the same users never wait for each other.
"""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Executable, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import table_of
from app.db.dialects import Executes, is_sqlite
from app.db.ids import among
from app.db.insert import insert_into
from app.db.many import inserting
from app.db.page import Slice, in_order
from app.features.users.model import UserRow
from app.kernel.clock import utc_now
from app.kernel.errors import NotFound
from app.kernel.identity import User

ROWS_AT_ONCE = 250
"""Users in one statement, when thousands connect: to bind their values holds the loop for 2.5 ms; then others have their turn."""


async def ensure_users(session: AsyncSession, ids: Collection[str]) -> None:
    """Make a row for each id that has none. The name is the id until the user connects."""
    await ensure_signed_in(session, [named(one) for one in ids])


async def ensure_signed_in(session: AsyncSession, users: Collection[User]) -> None:
    """Make a row for each of these users who has none yet: they are connected, and may act before the recorder wrote them down."""
    await session.execute(*ensuring(session, users))


def named(user_id: str) -> User:
    """Somebody who has not connected yet: the name is the id."""
    return User(user_id, user_id)


def ensuring(executes: Executes, users: Collection[User]) -> tuple[Any, Mapping[str, str]]:
    """The statement that makes a row for each of these users who has none, and returns these; and its values."""
    now = utc_now()
    by_id = sorted(users, key=lambda user: user.id)
    rows = [{"id": user.id, "name": user.name, "roles": sorted(user.roles), "created_at": now} for user in by_id]
    statement, values = inserting(executes, UserRow, rows)
    return statement.returning(table_of(UserRow).c.id), values


async def record_connected(session: AsyncSession, users: Mapping[str, User]) -> None:
    """Store what the newest token of each user says."""
    now = utc_now()
    statement = insert_into(session, UserRow)
    statement = statement.on_conflict_do_update(
        index_elements=["id"],
        set_={name: getattr(statement.excluded, name) for name in ("name", "roles", "last_connected_at")},
    )
    rows = [
        {"id": user.id, "name": user.name, "roles": sorted(user.roles), "created_at": now, "last_connected_at": now}
        for _, user in sorted(users.items())
    ]
    for start in range(0, len(rows), ROWS_AT_ONCE):
        await session.execute(statement, rows[start : start + ROWS_AT_ONCE])


async def hold_users(session: AsyncSession, ids: Collection[str]) -> None:
    """Until the transaction ends, each other one that holds one of these users waits here: what is counted of theirs stays so."""
    if not is_sqlite(session):  # it has one writer
        await session.execute(holding(session, ids))


def holding(executes: Executes, ids: Collection[str]) -> Executable:
    """The statement that holds these users."""
    query = select(UserRow.id).where(among(executes, UserRow.id, ids)).order_by(UserRow.id)
    return query.with_for_update(key_share=True)


async def find(session: AsyncSession, user_id: str) -> UserRow:
    """One user. Raises NotFound."""
    row = await session.get(UserRow, user_id)
    if row is None:
        message = "no user has this id"
        raise NotFound(message)
    return row


async def page(session: AsyncSession, *, limit: int, cursor: str | None) -> Slice[UserRow]:
    """One page of users, ordered by id."""
    return await in_order(session, select(UserRow), UserRow.id, limit=limit, cursor=cursor)


async def put(session: AsyncSession, user_id: str, values: Mapping[str, Any]) -> tuple[UserRow, bool]:
    """Make the row, or replace these of its values. Returns it, and whether it is new."""
    new = {"id": user_id, "created_at": utc_now(), **values}
    insert = insert_into(session, UserRow).values(new).on_conflict_do_nothing().returning(UserRow.id)
    is_new = await session.scalar(insert) is not None
    return await change(session, user_id, {} if is_new else values), is_new


async def change(session: AsyncSession, user_id: str, values: Mapping[str, Any]) -> UserRow:
    """Replace these values of one row. Raises NotFound."""
    row = await find(session, user_id)
    for name, value in values.items():
        setattr(row, name, value)
    await session.flush()
    return row


async def names_and_statuses(session: AsyncSession, ids: Collection[str]) -> dict[str, tuple[str, str]]:
    """Name and status of each of these users who has a row; one statement, however many they are."""
    found = await session.execute(select(UserRow.id, UserRow.name, UserRow.status).where(among(session, UserRow.id, ids)))
    return {user_id: (name, status) for user_id, name, status in found}
