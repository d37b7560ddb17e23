"""REST: who follows whom."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self

import msgspec
from litestar import Response
from litestar.params import JSONBody, PathParameter
from msgspec import Meta

from app.db.page import Slice
from app.db.session import Database
from app.features.follows import service, store
from app.features.follows.model import FollowRow
from app.features.follows.store import Acquaintance
from app.features.listing import After, Limit, Page, linked
from app.features.services import GivenServices
from app.hub.audience import Id
from app.kernel.errors import NotFound, WrongField
from app.kernel.text import NO_NUL
from app.web.given import GivenDatabase
from app.web.operation import operation

TAG = "Follows"

UserId = Annotated[str, PathParameter(min_length=1, max_length=128, pattern=NO_NUL, description="The site's own id of the user")]


class NewFollow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who follows whom. An id that is new makes a row for that user."""

    follower_id: Id
    followee_id: Annotated[Id, Meta(description="The user who is followed, and is notified")]

    def __post_init__(self) -> None:
        """Refuse to let somebody follow themselves."""
        if self.follower_id == self.followee_id:
            raise WrongField("followee_id", "nobody follows themselves; name another user")


class Follow(msgspec.Struct):
    """One user follows another."""

    follower_id: str
    followee_id: str
    created_at: datetime

    @classmethod
    def of(cls, row: FollowRow) -> Self:
        """As the REST interface shows it."""
        return msgspec.convert(row, cls, from_attributes=True)


class RelatedUser(msgspec.Struct):
    """A user on the list of another."""

    user_id: str
    name: str
    since: datetime


class RelatedUserPage(Page[RelatedUser]):
    """One page of such users."""


_FOLLOW = {"follower_id": "bob", "followee_id": "ada"}
_PAGE = {"items": [{"user_id": "bob", "name": "Bob", "since": "2026-11-23T20:16:03Z"}], "next_cursor": None}


@operation(
    "POST",
    "/follows",
    scope="follows:write",
    tag=TAG,
    summary="Follow",
    status=HTTPStatus.CREATED,
    also=HTTPStatus.OK,
    takes=_FOLLOW,
    gives={**_FOLLOW, "created_at": "2026-11-23T20:16:03Z"},
)
async def create_follow(data: JSONBody[NewFollow], services: GivenServices) -> Response[Follow]:
    """201, and the user who is followed is notified; 200 when it was so already."""
    row, is_new = await service.connect(services, data.follower_id, data.followee_id)
    return Response(Follow.of(row), status_code=HTTPStatus.CREATED if is_new else HTTPStatus.OK)


@operation(
    "DELETE",
    "/follows/{follower_id:str}/{followee_id:str}",
    scope="follows:write",
    tag=TAG,
    summary="Unfollow",
    status=HTTPStatus.NO_CONTENT,
    errors=[404],
)
async def delete_follow(follower_id: UserId, followee_id: UserId, services: GivenServices) -> None:
    """The first follows the second no longer. Nobody is told."""
    if not await service.unfollow(services, follower_id, followee_id):
        message = "the first of these users does not follow the second"
        raise NotFound(message)


@operation("GET", "/users/{user_id:str}/followers", scope="follows:read", tag=TAG, summary="Who follows a user", gives=_PAGE)
async def list_followers(
    user_id: UserId, database: GivenDatabase, limit: Limit = 50, cursor: After = None
) -> Response[RelatedUserPage]:
    """Ordered by id. A user nobody heard of has none."""
    return await _listed(store.followers, database, user_id, limit, cursor)


@operation("GET", "/users/{user_id:str}/following", scope="follows:read", tag=TAG, summary="Whom a user follows", gives=_PAGE)
async def list_following(
    user_id: UserId, database: GivenDatabase, limit: Limit = 50, cursor: After = None
) -> Response[RelatedUserPage]:
    """Ordered by id. A user nobody heard of follows none."""
    return await _listed(store.following, database, user_id, limit, cursor)


@operation("GET", "/users/{user_id:str}/friends", scope="follows:read", tag=TAG, summary="A user's friends", gives=_PAGE)
async def list_friends(
    user_id: UserId, database: GivenDatabase, limit: Limit = 50, cursor: After = None
) -> Response[RelatedUserPage]:
    """Those who follow the user and are followed back, since the later of the two; ordered by id."""
    return await _listed(store.friends, database, user_id, limit, cursor)


async def _listed(
    find: Callable[..., Awaitable[Slice[Acquaintance]]], database: Database, user_id: str, limit: int, cursor: str | None
) -> Response[RelatedUserPage]:
    async with database.reading() as session:
        found = await find(session, user_id, limit=limit, cursor=cursor)
    return linked(RelatedUserPage([RelatedUser(*row) for row in found.rows], found.next_cursor), limit=limit)


routes = [create_follow, delete_follow, list_followers, list_following, list_friends]
