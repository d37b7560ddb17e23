"""What pages see of notifications: the list, and the badge with the number of unread ones."""

from app.features.fragments import fragments
from app.features.notifications.model import NotificationRow
from app.wire.update import Fragment, Update

LIST = "#notifications"
BADGE = "#notification-count"


def arrived(row: NotificationRow, unread_count: int) -> Update:
    """On top of the list; the badge counts it."""
    return Update(LIST, fragments.render("notifications/arrived.html", notification=row), "afterbegin", (badge(unread_count),))


def changed(row: NotificationRow, unread_count: int) -> Update:
    """A notification was read, or is unread again: the item and the badge change together."""
    shown = fragments.render("notifications/arrived.html", notification=row)
    return Update(f"#notification-{row.id}", shown, "outerHTML", (badge(unread_count),))


def badge(unread_count: int) -> Fragment:
    """The number of unread notifications; empty when there are none."""
    return Fragment(BADGE, str(unread_count) if unread_count else "", "textContent")
