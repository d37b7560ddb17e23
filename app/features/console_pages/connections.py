"""Live connections: who is there, one connection's story, and closing it."""

from typing import Any, Final

from app.features.console_pages.page import PER_PAGE, Done, Form, Outcome, Page, Visit, paged
from app.web.desk import Desk

FILTERS: Final = ("user_id", "room_id", "role", "node")
MAX_OTHERS: Final = "10"
"""Other connections of the same user that the story names."""


async def _list(visit: Visit) -> dict[str, Any]:
    query = visit.query
    filters = {name: query.get(name, "") for name in FILTERS}
    found = await visit.desk.ask("list_connections", query={**filters, "limit": PER_PAGE, "cursor": query.get("cursor")})
    return {**paged(query, found), "count": await visit.desk.ask("count_connections"), "filters": filters}


async def _story(visit: Visit) -> dict[str, Any]:
    desk, connection_id = visit.desk, visit.query.get("id", "")
    it = await desk.ask("get_connection", path={"connection_id": connection_id})
    others: list[Any] = []
    if it.user_id is not None:
        others = (await desk.ask("list_connections", query={"user_id": it.user_id, "limit": MAX_OTHERS})).items
    return {"it": it, "others": [one for one in others if one.id != it.id]}


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
    is_listed=False,
)
