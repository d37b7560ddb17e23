"""Queries on follows. Each is one statement, however many users it is about."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import CursorResult, Select, SQLColumnExpression, and_, case, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Bundle, InstrumentedAttribute, aliased

from app.db.ids import among
from app.db.insert import ensure
from app.db.page import Slice, in_order
from app.db.session import Database
from app.features.follows.model import FollowRow
from app.features.users import UserRow
from app.kernel.clock import utc_now

_Back = aliased(FollowRow)
"""The follow in the other direction, which makes friends of two."""
_IS_RETURNED = and_(_Back.follower_id == FollowRow.followee_id, _Back.followee_id == FollowRow.follower_id)


class Acquaintance(NamedTuple):
    """A user on the list of another."""

    user_id: str
    name: str
    since: datetime


class StoredFollows:
    """What the hub asks when something is published to followers or friends. One query each."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def followers_of(self, user_id: str) -> Collection[str]:
        """Ids of the users who follow this one. Raises Unavailable."""
        async with self._database.reading() as session:
            return await _ids(session, select(FollowRow.follower_id).where(FollowRow.followee_id == user_id))

    async def friends_of(self, user_id: str) -> Collection[str]:
        """Ids of the users who follow this one and are followed back. Raises Unavailable."""
        async with self._database.reading() as session:
            followers = select(FollowRow.follower_id).where(FollowRow.followee_id == user_id)
            return await _ids(session, followers.join(_Back, _IS_RETURNED))


async def friends_of_each(session: AsyncSession, user_ids: Collection[str]) -> Mapping[str, Sequence[str]]:
    """Ids of the friends of each of these users who has any."""
    query = select(FollowRow.followee_id, FollowRow.follower_id).join(_Back, _IS_RETURNED)
    found: defaultdict[str, list[str]] = defaultdict(list)
    for user_id, friend_id in await session.execute(query.where(among(session, FollowRow.followee_id, user_ids))):
        found[user_id].append(friend_id)
    return found


async def add(session: AsyncSession, follower_id: str, followee_id: str) -> tuple[FollowRow, bool]:
    """Make the row, unless there is one. Returns it, and whether it is new. Both users must have rows."""
    new = {"follower_id": follower_id, "followee_id": followee_id, "created_at": utc_now()}
    return await ensure(session, FollowRow, new)


async def remove(session: AsyncSession, follower_id: str, followee_id: str) -> bool:
    """Delete the row. False: there was none."""
    one = delete(FollowRow).where(FollowRow.follower_id == follower_id, FollowRow.followee_id == followee_id)
    done: CursorResult[Any] = await session.execute(one)  # type: ignore[assignment]  # a DELETE gives one, which the stubs do not say
    return done.rowcount == 1


async def followers(session: AsyncSession, user_id: str, *, limit: int, cursor: str | None) -> Slice[Acquaintance]:
    """One page of the users who follow this one, ordered by id."""
    query = _acquaintances(FollowRow.follower_id, FollowRow.created_at).where(FollowRow.followee_id == user_id)
    return _read(await in_order(session, query, FollowRow.follower_id, limit=limit, cursor=cursor))


async def following(session: AsyncSession, user_id: str, *, limit: int, cursor: str | None) -> Slice[Acquaintance]:
    """One page of the users whom this one follows, ordered by id."""
    query = _acquaintances(FollowRow.followee_id, FollowRow.created_at).where(FollowRow.follower_id == user_id)
    return _read(await in_order(session, query, FollowRow.followee_id, limit=limit, cursor=cursor))


async def friends(session: AsyncSession, user_id: str, *, limit: int, cursor: str | None) -> Slice[Acquaintance]:
    """One page of the users who follow this one and are followed back, ordered by id."""
    since = case((FollowRow.created_at > _Back.created_at, FollowRow.created_at), else_=_Back.created_at)
    query = _acquaintances(FollowRow.follower_id, since).join(_Back, _IS_RETURNED).where(FollowRow.followee_id == user_id)
    return _read(await in_order(session, query, FollowRow.follower_id, limit=limit, cursor=cursor))


def _acquaintances(who: InstrumentedAttribute[str], since: SQLColumnExpression[datetime]) -> Select[Any]:
    """A bundle for each: pages are read as one object a row, and its columns come from two tables."""
    found: Bundle[Any] = Bundle("found", who, UserRow.name, since)
    return select(found).select_from(FollowRow).join(UserRow, UserRow.id == who)


def _read(found: Slice[Any]) -> Slice[Acquaintance]:
    return Slice([Acquaintance(*row) for row in found.rows], found.next_cursor)


async def _ids(session: AsyncSession, query: Select[str]) -> Collection[str]:
    return (await session.scalars(query)).all()
