"""REST: users."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self

import msgspec
from litestar import Response
from litestar.params import JSONBody, PathParameter
from msgspec import UNSET, Meta, UnsetType

from app.auth.keys import Caller
from app.auth.scopes import allows
from app.features.closing import ClosedConnections, Reasoned
from app.features.content import Content, Making
from app.features.dry_run import SEES_WHO, DryRun, dry_run
from app.features.listing import After, Limit, Page, linked
from app.features.services import GivenServices, Services
from app.features.tokens import revoke
from app.features.users import service, store, view
from app.features.users.model import UserRow
from app.hub.audience import Id, signed_in, users
from app.kernel.text import NO_NUL
from app.web.given import GivenCaller, GivenDatabase
from app.web.operation import operation
from app.wire.update import Update

TAG = "Users"

MAX_ROLES = 50
"""As many as a connection token may hold."""
MAX_UPDATES = 1_000
"""Updates to users in one call; as many as an audience may name ids."""

UserId = Annotated[str, PathParameter(min_length=1, max_length=128, pattern=NO_NUL, description="The site's own id of the user")]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL, description="What other people see; shown escaped")]
RoleNames = Annotated[frozenset[Id], Meta(max_length=MAX_ROLES)]
Status = Annotated[
    str, Meta(max_length=200, pattern=NO_NUL, description="What the user says of themselves; empty: nothing. Shown escaped")
]


class User(msgspec.Struct, kw_only=True):
    """A user of the site, as far as this server knows."""

    id: str
    name: str
    roles: list[str]
    status: str
    created_at: datetime
    last_connected_at: Annotated[datetime | None, Meta(description="null: named by the back office, never connected")]

    @classmethod
    def of(cls, row: UserRow) -> Self:
        """As the REST interface shows it."""
        return msgspec.convert(row, cls, from_attributes=True)


class UserPage(Page[User]):
    """One page of users."""


class PutUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that the back office says of a user."""

    name: Name
    roles: RoleNames = frozenset()
    status: Status = ""


class UserChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to become different."""

    name: Name | UnsetType = UNSET
    roles: RoleNames | UnsetType = UNSET
    status: Status | UnsetType = UNSET


class Disconnecting(Reasoned, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why, and whether the user's tokens are to count no more."""

    revoke_tokens: Annotated[bool, Meta(description="Refuse all tokens and tickets that were issued to the user until now")] = False


class UserPresence(msgspec.Struct):
    """Whether a user is there."""

    user_id: str
    online: Annotated[bool, Meta(description="A connection is open, or was within the grace (`WSX_PRESENCE_GRACE_S`)")]
    connections: Annotated[int, Meta(description="How many are open")]
    last_seen_at: Annotated[
        datetime | None,
        Meta(description="Now, while connected; within the grace, when the last connection ended; later, the last connect"),
    ]


class UserUpdate(Content, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One update and whose pages show it."""

    user_id: Id


class UserUpdates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An update for each of the users."""

    updates: Annotated[
        Annotated[tuple[UserUpdate, ...], Meta(min_length=1, max_length=MAX_UPDATES)] | None,
        Meta(description="null: every connected user gets a line with their own name and status, in `#user-updates`"),
    ]


class SentUserUpdates(msgspec.Struct):
    """What became of the updates."""

    id: Annotated[str, Meta(description=f"Of the broadcast; own lines go out {service.LINES_AT_ONCE} at a time: of the first")]
    matched: Annotated[int, Meta(description="Connections of these users on the node that was asked")]
    queued: Annotated[int, Meta(description="Those of them that their update was queued for")]
    users: Annotated[int, Meta(description="Users with a connection, on the nodes that answered in time")]


_EXAMPLE = {
    "id": "ada",
    "name": "Ada Lovelace",
    "roles": ["premium"],
    "status": "on the road",
    "created_at": "2026-11-23T20:16:03Z",
    "last_connected_at": "2026-11-24T08:00:12Z",
}
_SAID = {"name": "Ada Lovelace", "roles": ["premium"], "status": "on the road"}


@operation(
    "GET",
    "/users",
    scope="users:read",
    tag=TAG,
    summary="List users",
    gives={"items": [_EXAMPLE], "next_cursor": None},
)
async def list_users(database: GivenDatabase, limit: Limit = 50, cursor: After = None) -> Response[UserPage]:
    """All users that this server knows of, ordered by id."""
    async with database.reading() as session:
        found = await store.page(session, limit=limit, cursor=cursor)
    return linked(UserPage([User.of(row) for row in found.rows], found.next_cursor), limit=limit)


@operation("GET", "/users/{user_id:str}", scope="users:read", tag=TAG, summary="One user", gives=_EXAMPLE, errors=[404])
async def get_user(user_id: UserId, database: GivenDatabase) -> User:
    """One user. An id that holds a `/` stands in no path; such a user is found in the list."""
    async with database.reading() as session:
        return User.of(await store.find(session, user_id))


@operation(
    "PUT",
    "/users/{user_id:str}",
    scope="users:write",
    tag=TAG,
    summary="Create or replace a user",
    also=HTTPStatus.CREATED,
    takes=_SAID,
    gives=_EXAMPLE,
)
async def put_user(user_id: UserId, data: JSONBody[PutUser], database: GivenDatabase) -> Response[User]:
    """200, or 201 for a new user. Name and roles hold until the user's next connect: then they are what the token says."""
    async with database.transaction() as session:
        row, is_new = await store.put(session, user_id, _stored(data))
    return Response(User.of(row), status_code=HTTPStatus.CREATED if is_new else HTTPStatus.OK)


@operation(
    "PATCH",
    "/users/{user_id:str}",
    scope="users:write",
    tag=TAG,
    summary="Change a user",
    takes={"status": "on the road"},
    gives=_EXAMPLE,
    errors=[404],
)
async def change_user(user_id: UserId, data: JSONBody[UserChange], database: GivenDatabase) -> User:
    """What is not named stays. Name and roles hold until the user's next connect: then they are what the token says."""
    async with database.transaction() as session:
        return User.of(await store.change(session, user_id, _stored(data)))


@operation(
    "GET",
    "/users/{user_id:str}/presence",
    scope="users:read",
    tag=TAG,
    summary="Is a user there?",
    gives={"user_id": "ada", "online": True, "connections": 2, "last_seen_at": "2026-11-24T08:00:12Z"},
    errors=[404],
)
async def get_user_presence(user_id: UserId, services: GivenServices) -> UserPresence:
    """A reload, or a moment without a network, is no absence."""
    return UserPresence(user_id, *await service.presence(services, user_id))


@operation(
    "POST",
    "/users/{user_id:str}/disconnect",
    scope="users:write",
    tag=TAG,
    summary="Close a user's connections",
    status=HTTPStatus.OK,
    takes={"reason": "signed out", "revoke_tokens": True},
    gives={"closed": 2},
    errors=[404],
)
async def disconnect_user(user_id: UserId, data: JSONBody[Disconnecting], services: GivenServices) -> ClosedConnections:
    """Close all connections of a user, on all nodes, with 4409; their pages do not come back by themselves.

    With `revoke_tokens`, what was issued to the user until now lets nobody in any more: it is stored, and known on all nodes that
    answer; on the others within some seconds. Such a user need not be known here. A token that does not say when it was issued
    (`iat`) counts as one from before.

    503 where a node does not answer: then those of the others are closed, and its own may be. Ask again: it does no harm.
    """
    if data.revoke_tokens:
        return ClosedConnections(await revoke(services, user_id, data.reason))
    return ClosedConnections(await service.disconnect(services, user_id, data.reason))


async def try_user_updates(data: UserUpdates, services: Services, caller: Caller) -> DryRun:
    """What `send_user_updates` would do. Of own lines it shows the first; to keys that may not see whose they are, nobody's."""
    if data.updates is None:
        sees_them = all(allows(caller.scopes, scope) for scope in (SEES_WHO, "users:read"))
        lines = await service.first_own_lines(services) if sees_them else [view.own_line("NAME", "STATUS")]
        return await dry_run(services, caller, signed_in, *lines)
    updates = _updates(data.updates, caller)
    return await dry_run(services, caller, users(*(user_id for user_id, _ in updates)), *(update for _, update in updates))


@operation(
    "POST",
    "/users/updates",
    dry_run=try_user_updates,
    scope="users:write",
    tag=TAG,
    summary="Send users updates of their own",
    status=HTTPStatus.ACCEPTED,
    takes={"updates": [{"user_id": "ada", "target": "#balance", "html": "<b>12.50</b>"}]},
    gives={"id": "019312d0c3f77a1bb1d0b8e4a3c5f6d7", "matched": 2, "queued": 2, "users": 1},
)
async def send_user_updates(data: JSONBody[UserUpdates], services: GivenServices, caller: GivenCaller) -> SentUserUpdates:
    """Each of up to 1,000 users gets an update of their own, now; nothing is stored. None named: all get their own line."""
    if data.updates is None:
        return SentUserUpdates(*await service.send_own_lines(services))
    return SentUserUpdates(*await service.send_updates(services, _updates(data.updates, caller)))


def _updates(given: Sequence[UserUpdate], caller: Caller) -> list[tuple[str, Update]]:
    making = Making(caller)
    return [(one.user_id, making.update(one, f"/updates/{place}")) for place, one in enumerate(given)]


def _stored(said: PutUser | UserChange) -> dict[str, object]:
    """The values as the row has them; what is unset is left out."""
    values = {name: value for name, value in msgspec.structs.asdict(said).items() if value is not UNSET}
    return {name: sorted(value) if name == "roles" else value for name, value in values.items()}


routes = [
    list_users,
    get_user,
    put_user,
    change_user,
    get_user_presence,
    disconnect_user,
    send_user_updates,
]
