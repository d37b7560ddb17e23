"""What pages see of a room's comings and goings."""

from app.features.fragments import fragments
from app.wire.update import Update

ACTIVITY = "#room-activity"


def joined(name: str) -> Update:
    """Somebody came in."""
    return _activity(name, "joined the room")


def left(name: str) -> Update:
    """Somebody left."""
    return _activity(name, "left the room")


def closed(room_name: str) -> Update:
    """The room is no more."""
    return _activity(room_name, "was closed")


def _activity(who: str, did: str) -> Update:
    return Update(ACTIVITY, fragments.render("rooms/activity.html", who=who, did=did), "afterbegin")
