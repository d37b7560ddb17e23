"""What pages see of a room's comings and goings."""

from collections.abc import Iterable

from markupsafe import Markup

from app.features.fragments import fragments
from app.wire.update import Update

ACTIVITY = "#room-activity"


def joined(name: str) -> Update:
    """Somebody came in."""
    return _activity(name, "joined the room")


def left(*names: str) -> Update:
    """Somebody left, or several did, in this order: the last one is shown first."""
    return _activities((name, "left the room") for name in reversed(names))


def closed(room_name: str) -> Update:
    """The room is no more."""
    return _activity(room_name, "was closed")


def _activity(who: str, did: str) -> Update:
    return _activities([(who, did)])


def _activities(lines: Iterable[tuple[str, str]]) -> Update:
    shown = Markup("\n").join(fragments.render("rooms/activity.html", who=who, did=did) for who, did in lines)
    return Update(ACTIVITY, shown, "afterbegin")
