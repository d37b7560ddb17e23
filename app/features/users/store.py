"""Queries on users. The number of statements does not depend on the number of users."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app.features.users.model import UserRow
from app.kernel.clock import utc_now
from app.kernel.identity import User


def _insert(session: AsyncSession) -> Any:
    table: Table = UserRow.__table__  # type: ignore[assignment]  # declarative tables are typed as FromClause
    dialect = session.get_bind().dialect.name
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


async def ensure_users(session: AsyncSession, ids: Collection[str]) -> None:
    """Make a row for each id that has none. The name is the id until the user connects."""
    now = utc_now()
    rows = [{"id": one, "name": one, "roles": [], "created_at": now} for one in sorted(ids)]
    await session.execute(_insert(session).on_conflict_do_nothing(), rows)


async def record_connected(session: AsyncSession, users: Mapping[str, User]) -> None:
    """Store what the newest token of each user says."""
    now = utc_now()
    statement = _insert(session)
    statement = statement.on_conflict_do_update(
        index_elements=["id"],
        set_={name: getattr(statement.excluded, name) for name in ("name", "roles", "last_connected_at")},
    )
    rows = [
        {"id": user.id, "name": user.name, "roles": sorted(user.roles), "created_at": now, "last_connected_at": now}
        for user in users.values()
    ]
    await session.execute(statement, rows)
