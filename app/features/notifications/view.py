"""What pages see of notifications: the list, and the badge with the number of unread ones. Both change in one update."""

from collections.abc import Iterable

from markupsafe import Markup

from app.features.fragments import fragments
from app.features.notifications.model import NotificationRow
from app.wire.update import Fragment, Update

LIST = "#notifications"
BADGE = "#notification-count"


def item(row: NotificationRow) -> Markup:
    """One notification."""
    return fragments.render("notifications/arrived.html", notification=row)


def arrived(row: NotificationRow, unread_count: int) -> Update:
    """On top of the list; the badge counts it."""
    return Update(LIST, item(row), "afterbegin", (badge(unread_count),))


def arrived_again(row: NotificationRow, unread_count: int) -> Update:
    """The same, in place of one that is on the list already."""
    return Update(f"#notification-{row.id}", "", "delete", (Fragment(LIST, item(row), "afterbegin"), badge(unread_count)))


def changed(row: NotificationRow, unread_count: int) -> Update:
    """A notification was read or seen, or is not any more."""
    return Update(f"#notification-{row.id}", item(row), "outerHTML", (badge(unread_count),))


def archived(row: NotificationRow, unread_count: int) -> Update:
    """Gone from the list."""
    return Update(f"#notification-{row.id}", "", "delete", (badge(unread_count),))


def listed(rows: Iterable[NotificationRow], unread_count: int) -> Update:
    """The list anew, newest first: many changed at once."""
    return Update(LIST, Markup("\n").join(map(item, rows)), "innerHTML", (badge(unread_count),))


def counted(unread_count: int) -> Update:
    """The badge alone."""
    shown = badge(unread_count)
    return Update(shown.target, shown.html, shown.swap)


def badge(unread_count: int) -> Fragment:
    """The number of unread notifications; empty when there are none."""
    return Fragment(BADGE, str(unread_count) if unread_count else "", "textContent")
