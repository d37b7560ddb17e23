"""Notifications: sending them, and the inbox of one user."""

from typing import Any, Final

from app.features.console_pages.page import Form, Outcome, Page, Shown, Visit, listed, paged
from app.web.desk import Desk

_READ: Final = "notifications:read"
_WRITE: Final = "notifications:write"


async def _load(visit: Visit) -> dict[str, Any]:
    query = visit.query
    user_id, state = query.get("user_id", ""), query.get("state", "")
    shown = paged(query, None)
    if user_id and visit.desk.may(_READ):
        shown = await listed(visit, "list_notifications", user_id="user_id")
    return {**shown, "user_id": user_id, "state": state}


async def _send(desk: Desk, form: Form) -> Outcome:
    user_ids = form.words("user_ids")
    body = {"user_ids": user_ids, "title": form.text("title"), "message": form.text("message"), "type": form.text("type", "info")}
    if form.text("button") == "preview":
        return Shown({"preview": await desk.try_out("create_notifications", body)})
    return Shown({"sent": await desk.ask("create_notifications", body)}, is_done=True)


NOTIFICATIONS: Final = Page(
    "notifications",
    "Notifications",
    (_READ, _WRITE),
    _load,
    query=("user_id", "state", "cursor"),
    acts={"send": (_WRITE, _send)},
    extra={"preview": None, "sent": None},
)
