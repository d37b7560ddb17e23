"""What pages see of the broadcasts that other pages ask for."""

from app.hub.face import html
from app.kernel.identity import User
from app.wire.update import Update

STATUS = "#status"
ADMIN_PANEL = "#admin-panel"
LIVE_FEED = "#live-feed"


def initiated() -> Update:
    """To everyone, when a mass update begins."""
    return Update(STATUS, "<div>Mass update initiated</div>")


def notified() -> Update:
    """To admins, at the same time."""
    return Update(ADMIN_PANEL, "<div>Admin notification</div>")


def update_from(user: User) -> Update:
    """On top of the live feed."""
    return Update(LIVE_FEED, html("<div>Update from {}</div>", user.name), "afterbegin")
