"""Use cases: make a key, revoke a key, and the very first key."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.keys import Caller, NewKey, make_key
from app.auth.scopes import ADMIN, SCOPES, allows, unknown_scopes
from app.auth.targets import MAX_TARGETS, beyond, is_entry, trimmed
from app.db.turns import one_at_a_time
from app.features.keys import store
from app.features.keys.model import ApiKeyRow
from app.kernel.clock import LAST_TIME, utc_now
from app.kernel.errors import FieldError, Forbidden, InvalidFields
from app.kernel.ids import new_id
from app.wire.update import Target


class NewKeyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to be made."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=100,
            pattern=r"^[^\u0000-\u001f\u007f]*$",
            description="Whose it is; shown in lists, on one line",
        ),
    ]
    scopes: Annotated[frozenset[str], Meta(min_length=1, max_length=50, description=f"Any of: {', '.join(sorted(SCOPES))}")]
    expires_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="With a time zone; null: it does not end by itself")
    ] = None
    targets: Annotated[
        Annotated[tuple[Target, ...], Meta(min_length=1, max_length=MAX_TARGETS)] | None,
        Meta(
            description="The only targets that its updates may name: selectors, compared as texts, or `#chat*` for every id that "
            "begins so; null: any"
        ),
    ] = None


def create_key(session: AsyncSession, wanted: NewKeyRequest, maker: Caller) -> tuple[ApiKeyRow, NewKey]:
    """Make a key, stored at the end of the transaction. Raises InvalidFields, and Forbidden for a scope that its maker has not."""
    if unknown := unknown_scopes(wanted.scopes):
        message = f"no such scope: {', '.join(unknown)}; there are {', '.join(sorted(SCOPES))}"
        raise InvalidFields([FieldError("/scopes", message)])
    if wanted.expires_at is not None and not utc_now() < wanted.expires_at < LAST_TIME:
        raise InvalidFields([FieldError("/expires_at", "this time is over already, or after the year 9998")])
    if missing := sorted(scope for scope in wanted.scopes if not allows(maker.scopes, scope)):
        message = f"a key cannot give what it has not: {', '.join(missing)}"
        raise Forbidden(message)
    targets = _checked_targets(wanted.targets, maker)
    if maker.expires_at is not None and (wanted.expires_at is None or wanted.expires_at > maker.expires_at):
        message = (
            f"a key cannot give what it has not: this one ends at {maker.expires_at.isoformat()}, `expires_at` must not be later"
        )
        raise Forbidden(message)
    key = make_key()
    row = ApiKeyRow(
        id=new_id(),
        key_id=key.id,
        name=wanted.name,
        scopes=sorted(wanted.scopes),
        targets=targets,
        digest=key.digest,
        created_at=utc_now(),
        expires_at=wanted.expires_at,
    )
    session.add(row)
    return row, key


def _checked_targets(wanted: Sequence[str] | None, maker: Caller) -> list[str] | None:
    """The list as it is stored. Raises InvalidFields, Forbidden."""
    targets = None if wanted is None else [trimmed(target) for target in wanted]
    wrong = [place for place, target in enumerate(targets or ()) if not is_entry(target)]
    if wrong:
        message = "a selector is wanted, or the beginning of an id and a star, such as #chat*"
        raise InvalidFields([FieldError(f"/targets/{place}", message) for place in wrong])
    if missing := beyond(maker.targets, targets):
        message = f"a key cannot give what it has not: targets {', '.join(missing)}"
        raise Forbidden(message)
    return targets


async def revoke_key(session: AsyncSession, key_id: str, by: Caller) -> ApiKeyRow:
    """Revoke a key; once revoked it stays so. Raises NotFound, and Forbidden for one that may do more than who revokes it."""
    row = await store.find_to_change(session, key_id)
    if by.key_id != key_id and (missing := sorted(scope for scope in row.scopes if not allows(by.scopes, scope))):
        message = f"a key cannot revoke one that may do more: this one has not {', '.join(missing)}"
        raise Forbidden(message)
    row.revoked_at = row.revoked_at or utc_now()
    return row


async def first_key(session: AsyncSession) -> NewKey | None:
    """An admin key, when there was never one; else None. Of several nodes that start at once, one gets it."""
    await one_at_a_time(session, "first key")
    if await store.exists_admin(session):
        return None
    _, key = create_key(session, NewKeyRequest("back office", frozenset({ADMIN})), Caller("", "first start", frozenset({ADMIN})))
    return key
