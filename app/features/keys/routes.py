"""REST: API keys."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self

import msgspec
from litestar import Response
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from app.auth.scopes import KEYS_ADMIN
from app.features.keys import service, store
from app.features.keys.model import ApiKeyRow
from app.features.keys.service import NewKeyRequest
from app.features.listing import After, Limit, Page, linked
from app.web.given import GivenCaller, GivenDatabase, GivenKeyRing
from app.web.operation import operation

TAG = "API keys"


class ApiKey(msgspec.Struct, kw_only=True):
    """An API key; never its secret."""

    id: str
    name: str
    scopes: list[str]
    targets: Annotated[list[str] | None, Meta(description="The targets that it may write to; null: all")]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: Annotated[datetime | None, Meta(description="Within a minute of the truth")]

    @classmethod
    def of(cls, row: ApiKeyRow) -> Self:
        """As the REST interface shows it."""
        return cls(
            id=row.key_id,
            name=row.name,
            scopes=row.scopes,
            targets=row.targets,
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
            last_used_at=row.last_used_at,
        )


class ApiKeyPage(Page[ApiKey]):
    """One page of keys."""


class CreatedApiKey(ApiKey, kw_only=True):
    """A new key: the only time that its text is shown."""

    key: Annotated[str, Meta(description="Send it as `Authorization: Bearer …`. It cannot be shown again.")]


_EXAMPLE = {
    "id": "Qm3zT81bKpXa",
    "name": "shop back office",
    "scopes": ["broadcasts:write"],
    "targets": ["#chat*"],
    "created_at": "2026-11-23T20:16:03Z",
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": None,
}


@operation(
    "POST",
    "/api-keys",
    scope=KEYS_ADMIN,
    tag=TAG,
    summary="Make a key",
    status=HTTPStatus.CREATED,
    takes={"name": "shop back office", "scopes": ["broadcasts:write"], "targets": ["#chat*"]},
    gives={**_EXAMPLE, "key": "wsx_Qm3zT81bKpXa_<secret>"},
    keeps_answer=False,
)
async def create_api_key(
    data: JSONBody[NewKeyRequest], database: GivenDatabase, caller: GivenCaller, key_ring: GivenKeyRing
) -> CreatedApiKey:
    """Make a key. It can be given only scopes and targets that the calling key has itself."""
    async with database.transaction() as session:
        row, key = service.create_key(session, data, caller)
    key_ring.made(key.id)
    return CreatedApiKey(**msgspec.structs.asdict(ApiKey.of(row)), key=key.text)


@operation(
    "GET",
    "/api-keys",
    scope=KEYS_ADMIN,
    tag=TAG,
    summary="List keys",
    gives={"items": [_EXAMPLE], "next_cursor": None},
    errors=[422, 503],
)
async def list_api_keys(database: GivenDatabase, limit: Limit = 50, cursor: After = None) -> Response[ApiKeyPage]:
    """All keys, newest first, revoked ones too."""
    async with database.reading() as session:
        found = await store.page(session, limit=limit, cursor=cursor)
    return linked(ApiKeyPage([ApiKey.of(row) for row in found.rows], found.next_cursor), limit=limit)


@operation(
    "DELETE",
    "/api-keys/{key_id:str}",
    scope=KEYS_ADMIN,
    tag=TAG,
    summary="Revoke a key",
    status=HTTPStatus.NO_CONTENT,
    errors=[404, 503],
)
async def revoke_api_key(key_id: FromPath[str], database: GivenDatabase, key_ring: GivenKeyRing, caller: GivenCaller) -> None:
    """Revoke a key: itself, or one that may do nothing that the calling key may not. It is refused within a second, for ever."""
    async with database.transaction() as session:
        await service.revoke_key(session, key_id, caller)
    key_ring.forget(key_id)


routes = [create_api_key, list_api_keys, revoke_api_key]
