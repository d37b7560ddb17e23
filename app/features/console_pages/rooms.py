"""Rooms: which there are, who belongs to one, and making and deleting them."""

from typing import Any, Final

from app.features.console_pages.page import Done, Form, Outcome, Page, Visit, listed, paged
from app.web.desk import Desk

_READ: Final = "rooms:read"
_WRITE: Final = "rooms:write"


async def _list(visit: Visit) -> dict[str, Any]:
    return await listed(visit, "list_rooms") if visit.desk.may(_READ) else paged(visit.query, None)


async def _room(visit: Visit) -> dict[str, Any]:
    room = await visit.desk.ask("get_room", path={"room_id": visit.query.get("id", "")})
    return {"room": room, **await listed(visit, "list_room_members", room_id="id")}


async def _create(desk: Desk, form: Form) -> Outcome:
    body: dict[str, Any] = {name: value for name in ("id", "name") if (value := form.text(name).strip())}
    room = await desk.ask("create_room", {**body, "is_private": bool(form.text("is_private"))})
    return Done("room_made", "rooms") if not desk.may(_READ) else Done("room_made", "room", {"id": room.id})


async def _delete(desk: Desk, form: Form) -> Outcome:
    await desk.ask("delete_room", path={"room_id": form.text("id")})
    return Done("room_deleted", "rooms")


async def _let_in(desk: Desk, form: Form) -> Outcome:
    room_id = form.text("id")
    await desk.ask("add_room_member", path={"room_id": room_id, "user_id": form.text("user_id").strip()})
    return Done("let_in", "room", {"id": room_id})


async def _put_out(desk: Desk, form: Form) -> Outcome:
    room_id = form.text("id")
    await desk.ask("remove_room_member", path={"room_id": room_id, "user_id": form.text("user_id").strip()})
    return Done("put_out", "room", {"id": room_id})


ROOMS: Final = Page("rooms", "Rooms", (_READ, _WRITE), _list, query=("cursor",), acts={"create": (_WRITE, _create)}, every_turns=5)
ROOM: Final = Page(
    "room",
    "Room",
    (_READ,),
    _room,
    query=("id", "cursor"),
    acts={"delete": (_WRITE, _delete), "let-in": (_WRITE, _let_in), "put-out": (_WRITE, _put_out)},
    every_turns=5,
    within="rooms",
)
