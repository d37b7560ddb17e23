"""Live connections: who is there, one connection's story, and closing it."""

from typing import Any, Final

from app.features.console_pages.page import Done, Form, Outcome, Page, Visit, filtered
from app.kernel.errors import NotFound
from app.web.desk import Desk

FILTERS: Final = ("user_id", "room_id", "role", "node")
MAX_OTHERS: Final = "10"
"""Other connections of the same user that the story names."""
MAX_EVENTS: Final = "20"
"""Of the audit log that the story tells, the newest."""
_AUDIT: Final = "audit:read"


async def _list(visit: Visit) -> dict[str, Any]:
    return {**await filtered(visit, "list_connections", FILTERS), "count": await visit.desk.ask("count_connections")}


async def _story(visit: Visit) -> dict[str, Any]:
    desk, connection_id = visit.desk, visit.query.get("id", "")
    events = None
    if desk.may(_AUDIT):
        events = (await desk.ask("list_audit_events", query={"connection_id": connection_id, "limit": MAX_EVENTS})).items
    try:
        it = await desk.ask("get_connection", path={"connection_id": connection_id})
    except NotFound as error:
        return {"id": connection_id, "it": None, "others": [], "events": events, "refusal": error}
    others: list[Any] = []
    if it.user_id is not None:
        others = (await desk.ask("list_connections", query={"user_id": it.user_id, "limit": MAX_OTHERS})).items
    return {"id": it.id, "it": it, "others": [one for one in others if one.id != it.id], "events": events}


async def _close(desk: Desk, form: Form) -> Outcome:
    await desk.ask("close_connection", path={"connection_id": form.text("id")})
    return Done("closed", "connections")


CONNECTIONS: Final = Page("connections", "Connections", ("connections:read",), _list, query=(*FILTERS, "cursor"), every_turns=2)
CONNECTION: Final = Page(
    "connection",
    "Connection",
    ("connections:read",),
    _story,
    query=("id",),
    acts={"close": ("connections:write", _close)},
    every_turns=2,
    within="connections",
)
