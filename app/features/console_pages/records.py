"""What is kept of the back office itself: the audit log, and the API keys."""

from typing import Any, Final

from app.auth.scopes import SCOPES
from app.features.console_pages.page import Done, Form, Outcome, Page, Shown, Visit, filtered, listed
from app.kernel.clock import utc_now
from app.kernel.errors import FieldError, InvalidFields
from app.web.desk import Desk

AUDIT_FILTERS: Final = ("key_id", "user_id", "operation", "connection_id")
_KEYS: Final = "keys:admin"


async def _audit(visit: Visit) -> dict[str, Any]:
    return await filtered(visit, "list_audit_events", AUDIT_FILTERS)


async def _keys(visit: Visit) -> dict[str, Any]:
    desk = visit.desk
    scopes = sorted(scope for scope in SCOPES if desk.may(scope))
    return {**await listed(visit, "list_api_keys"), "scopes": scopes, "now": utc_now()}


async def _create(desk: Desk, form: Form) -> Outcome:
    scopes = [scope for scope in form.all("scopes") if scope]
    if not scopes:
        raise InvalidFields([FieldError("/scopes", "choose at least one")])
    body = {
        "name": form.text("name"),
        "scopes": scopes,
        "expires_at": form.time("expires_at"),
        "targets": form.words("targets") or None,
    }
    return Shown({"created": await desk.ask("create_api_key", body)}, is_done=True)


async def _revoke(desk: Desk, form: Form) -> Outcome:
    await desk.ask("revoke_api_key", path={"key_id": form.text("id")})
    return Done("revoked", "keys")


AUDIT: Final = Page("audit", "Audit", ("audit:read",), _audit, query=(*AUDIT_FILTERS, "cursor"), every_turns=2)
KEYS: Final = Page(
    "keys",
    "Keys",
    (_KEYS,),
    _keys,
    query=("cursor",),
    acts={"create": (_KEYS, _create), "revoke": (_KEYS, _revoke)},
    extra={"created": None},
)
