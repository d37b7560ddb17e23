"""What pages see of an announcement."""

from app.features.announcements.model import AnnouncementRow
from app.features.fragments import fragments
from app.wire.update import Update

LIST = "#announcements"


def published(row: AnnouncementRow) -> Update:
    """On top of the list."""
    return Update(LIST, fragments.render("announcements/published.html", announcement=row), "afterbegin")


def recalled(row: AnnouncementRow) -> Update:
    """Gone from every screen that shows it."""
    return Update(f"#announcement-{row.id}", "", "delete")
