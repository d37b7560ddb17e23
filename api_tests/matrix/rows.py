"""Who may call each handler that ships. One without a row here fails a test; the table in `docs/security.md` is made of these."""

from collections.abc import Iterator
from typing import Any, NamedTuple

LOBBY, BOARD = "lobby", "board"
"""A public room, and a private one; Ada alone is a member of the private one, and her page is in it."""
PEOPLE = ("nobody", "ada", "eve", "root")
"""Nobody has no token; Eve is signed in, and in no room; Root is an admin, and in no room either."""
YES = "yes"
"""In place of the code of a refusal."""

NOTIFICATION, TOKEN = "<a notification to Ada>", "<a token of Ada>"


class Row(NamedTuple):
    """One request, and what each of the people is told: the code of the refusal, or `YES`."""

    handler: str
    what: str
    """In the words of the docs."""
    data: dict[str, Any]
    nobody: str
    ada: str
    eve: str
    root: str


def _open(handler: str, what: str, data: dict[str, Any] | None = None, *, others: str = YES) -> Row:
    """For everybody who is signed in; `others`: what Eve and Root are told."""
    return Row(handler, what, data or {}, "not_signed_in", YES, others, others)


def _admins(handler: str, what: str, data: dict[str, Any] | None = None) -> Row:
    return Row(handler, what, data or {}, "not_admin", "not_admin", "not_admin", YES)


_EVENT = {"title": "Fire drill", "description": "Bring shoes"}
_PLACE = {"name": "Pier 39", "latitude": 37.8, "longitude": -122.4}

ROWS = (
    Row("authenticate", "with a token of Ada", {"token": TOKEN}, YES, YES, "another_user", "another_user"),
    _open("join-room", "a public room", {"roomId": LOBBY}),
    _open("join-room", "a private room whose member is Ada", {"roomId": BOARD}, others="room_closed"),
    _open("send-message", "in a room that Ada's page is in", {"roomId": BOARD, "message": "hi"}, others="not_in_room"),
    _open("send-message", "in a room that nobody is in", {"roomId": "cellar", "message": "hi"}, others="not_in_room")._replace(
        ada="not_in_room"
    ),
    _open("leave-room", "a room that Ada's page is in", {"roomId": BOARD}, others="not_in_room"),
    _open("private-message", "to a user", {"recipientId": "ada", "message": "hi"}),
    _open("follow-user", "another user", {"targetUserId": "ben"}),
    _open("unfollow-user", "another user", {"targetUserId": "ben"}),
    _open("set-location", "of the own page", {"latitude": 1, "longitude": 2}),
    _open("local-event", "within 100 km", {"eventData": _EVENT, "location": _PLACE, "radiusKm": 100}),
    Row(
        "local-event",
        "farther than 100 km",
        {"eventData": _EVENT, "location": _PLACE, "radiusKm": 101},
        "not_signed_in",
        "radius_too_large",
        "radius_too_large",
        YES,
    ),
    _open("rate-limited-update", "to everyone, at the pace of all"),
    _open("mark-notification-read", "a notification to Ada", {"notificationId": NOTIFICATION}, others="not_found"),
    _open("mark-all-read", "the own inbox"),
    _admins("admin-announcement", "by priority", {"message": "Lunch", "priority": "high"}),
    _admins("mass-update", "to everyone"),
    _admins("broadcast-user-updates", "to every user"),
)


def table(rows: tuple[Row, ...] = ROWS) -> Iterator[str]:
    """The lines of the table in the docs."""
    yield "| handler | what | nobody | Ada | Eve | an admin |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        told = " | ".join(YES if one == YES else f"`{one}`" for one in row[3:])
        yield f"| `{row.handler}` | {row.what} | {told} |"
