"""What pages see of places and of what happens there."""

from markupsafe import Markup

from app.features.fragments import fragments
from app.features.locations.event import LocalEvent
from app.hub.face import html
from app.wire.update import Update

LIST = "#local-events"


def happening(event: LocalEvent) -> Update:
    """On top of the list."""
    return Update(LIST, fragments.render("locations/event.html", event=event), "afterbegin")


def located(name: str) -> Markup:
    """The answer to a page that said where it is. The place's name only: coordinates are nobody's to see."""
    return html("<div>Location set: {}</div>", name) if name else Markup("<div>Location set</div>")


def told(users: int) -> Markup:
    """The answer to a page that told others of an event."""
    return html("<div>Event broadcast to {} nearby users</div>", users)
