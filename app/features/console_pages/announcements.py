"""Announcements: composing, a preview, the schedule, and recalling them."""

from typing import Any, Final

from app.features.console_pages.page import Done, Form, Outcome, Page, Shown, Visit, listed, paged, wanted
from app.web.desk import Desk

_READ: Final = "announcements:read"
_WRITE: Final = "announcements:write"


async def _load(visit: Visit) -> dict[str, Any]:
    shown = await listed(visit, "list_announcements") if visit.desk.may(_READ) else paged(visit.query, None)
    return {**shown, "state": visit.query.get("state", "")}


def _body(form: Form) -> dict[str, Any]:
    """What is announced, as the REST interface takes it."""
    body: dict[str, Any] = {
        "message": form.text("message"),
        "priority": form.text("priority"),
        "audience": wanted(form),
        "publish_at": form.time("publish_at"),
        "expires_at": form.time("expires_at"),
    }
    if title := form.text("title").strip():
        body["title"] = title
    return body


async def _announce(desk: Desk, form: Form) -> Outcome:
    body = _body(form)
    if form.text("button") == "preview":
        return Shown({"preview": await desk.try_out("create_announcement", body)})
    made = await desk.ask("create_announcement", body)
    return Done("scheduled" if made.state == "scheduled" else "announced", "announcements")


async def _recall(desk: Desk, form: Form) -> Outcome:
    await desk.ask("delete_announcement", path={"announcement_id": form.text("id")})
    return Done("recalled", "announcements")


ANNOUNCEMENTS: Final = Page(
    "announcements",
    "Announcements",
    (_READ, _WRITE),
    _load,
    query=("state", "cursor"),
    acts={"announce": (_WRITE, _announce), "recall": (_WRITE, _recall)},
    extra={"preview": None},
)
