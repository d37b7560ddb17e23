"""REST: the audit log."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

import msgspec
from litestar import Response
from litestar.params import QueryParameter
from msgspec import Meta

from app.features.audit import store
from app.features.audit.model import AuditEventRow
from app.features.audit.store import Wanted
from app.features.listing import After, Limit, Page, linked
from app.kernel.errors import FieldError, InvalidFields
from app.kernel.text import NO_NUL
from app.web.deeds import ADMIN_KEY_ID
from app.web.given import GivenDatabase
from app.web.operation import operation

TAG = "Audit"

_KeyId = Annotated[
    str | None, QueryParameter(max_length=128, pattern=NO_NUL, description=f"Of this key; `{ADMIN_KEY_ID}`: of that one")
]
_UserId = Annotated[str | None, QueryParameter(max_length=128, pattern=NO_NUL, description="Of this admin, over the socket")]
_Operation = Annotated[
    str | None, QueryParameter(max_length=64, pattern=NO_NUL, description="The operation's id, the handler's name, or the command")
]
_ConnectionId = Annotated[
    str | None,
    QueryParameter(
        max_length=128, pattern=NO_NUL, description="Done to this connection, or by the admin behind it; also after it is gone"
    ),
]
_Since = Annotated[datetime | None, QueryParameter(description="Not before; with a time zone")]
_Known = Annotated[
    bool | None, QueryParameter(description="true: of keys, users and the operator; false: of nobody, who had no valid key")
]
_Until = Annotated[datetime | None, QueryParameter(description="Before; with a time zone")]


class AuditEvent(msgspec.Struct, kw_only=True):
    """Who did what, or was refused."""

    id: UUID
    at: datetime
    actor: Annotated[
        str,
        Meta(
            description="key, user (an admin, over the socket), command (of the operator), nobody (who had no valid key), or "
            "several (of an event `others`)"
        ),
    ]
    actor_id: Annotated[str, Meta(description=f"The key's or user's id; `{ADMIN_KEY_ID}`: the key of the settings")]
    actor_name: str
    operation: Annotated[str, Meta(description="The operation's id, the handler's name, or the command; of nobody: the first")]
    targets: Annotated[
        dict[str, str], Meta(description="Ids of what it was done to, or made; names, roles and scopes that were given")
    ]
    audience: Annotated[dict[str, Any] | None, Meta(description="Whom it was meant for; long lists are shortened, places left out")]
    counts: Annotated[dict[str, int], Meta(description="How many it reached, as the answer said")]
    status: Annotated[int, Meta(description="As HTTP has it; 0 of an event `others`")]
    code: Annotated[
        str,
        Meta(
            description="The end of the problem's `type`; `replayed`: the first answer was given again; "
            "`dry_run`: it was only asked what the call would do; empty: done"
        ),
    ]
    times: Annotated[int, Meta(description="Refusals that are alike and came within 10 s, of nobody: 60 s, are one event")]
    request_id: Annotated[str, Meta(description="Of the first one: to be found in the server's log")]
    address: Annotated[str, Meta(description="Where it came from")]

    @classmethod
    def of(cls, row: AuditEventRow) -> Self:
        """As the REST interface shows it."""
        return msgspec.convert(row, cls, from_attributes=True)


class AuditEventPage(Page[AuditEvent]):
    """One page of the audit log."""


_EXAMPLE = {
    "id": "019312d0-c3f7-7a1b-b1d0-b8e4a3c5f6d7",
    "at": "2026-11-23T20:16:03Z",
    "actor": "key",
    "actor_id": "Qm3zT81bKpXa",
    "actor_name": "shop back office",
    "operation": "create_broadcast",
    "targets": {"id": "019312d0c3f77a1bb1d0b8e4a3c5f6d7"},
    "audience": {"kind": "roles", "names": ["admin"]},
    "counts": {"matched": 3, "queued": 3},
    "status": 202,
    "code": "",
    "times": 1,
    "request_id": "req-42",
    "address": "127.0.0.1",
}


@operation(
    "GET",
    "/audit-events",
    scope="audit:read",
    tag=TAG,
    summary="The audit log",
    gives={"items": [_EXAMPLE], "next_cursor": None},
)
async def list_audit_events(
    database: GivenDatabase,
    *,
    limit: Limit = 50,
    cursor: After = None,
    key_id: _KeyId = None,
    user_id: _UserId = None,
    operation: _Operation = None,
    connection_id: _ConnectionId = None,
    since: _Since = None,
    until: _Until = None,
    known: _Known = None,
) -> Response[AuditEventPage]:
    """Who did what, and who was refused, newest first: each call that changes something is there within a second of its answer."""
    if key_id is not None and user_id is not None:
        raise InvalidFields([FieldError("?user_id", "a key or a user is asked for, not both")])
    for name, moment in (("?since", since), ("?until", until)):
        if moment is not None and moment.tzinfo is None:
            raise InvalidFields([FieldError(name, "a time zone is wanted, as in 2026-11-23T20:16:03Z")])
    actor = "key" if key_id is not None else "user" if user_id is not None else None
    wanted = Wanted(actor, key_id if key_id is not None else user_id, operation, connection_id, since, until, known)
    async with database.reading() as session:
        found = await store.page(session, wanted, limit=limit, cursor=cursor)
    return linked(
        AuditEventPage([AuditEvent.of(row) for row in found.rows], found.next_cursor),
        limit=limit,
        key_id=key_id,
        user_id=user_id,
        operation=operation,
        connection_id=connection_id,
        since=None if since is None else since.isoformat(),
        until=None if until is None else until.isoformat(),
        known=None if known is None else str(known).lower(),
    )


routes = [list_audit_events]
