"""What pages see of announcements."""

from collections.abc import Iterable
from uuid import UUID

from markupsafe import Markup

from app.features.announcements.model import AnnouncementRow
from app.features.fragments import fragments
from app.wire.update import Fragment, Update

LIST = "#announcements"


def item(row: AnnouncementRow) -> Markup:
    """One announcement."""
    return fragments.render("announcements/published.html", announcement=row)


def published(item: Markup) -> Update:
    """On top of the list."""
    return Update(LIST, item, "afterbegin")


def is_edit(update: Update) -> bool:
    """Whether an update shows an announcement only where it is on the screen already."""
    return update.swap == "outerHTML"


def item_in(update: Update) -> Markup:
    """The announcement that an update shows, in whichever of the forms here: rendered by this module, if on another node."""
    return Markup(update.html or update.oob[0].html)


def published_again(row: AnnouncementRow) -> Update:
    """The same, in place of one that is on the screen already."""
    return Update(_place_of(row.id), "", "delete", (Fragment(LIST, item(row), "afterbegin"),))


def edited(row: AnnouncementRow) -> Update:
    """In place of what it said before."""
    return in_its_place(row.id, item(row))


def in_its_place(announcement_id: UUID, item: Markup) -> Update:
    """Where the page shows it already."""
    return Update(_place_of(announcement_id), item, "outerHTML")


def gone(announcement_id: UUID, *others: UUID) -> Update:
    """Gone from every screen that shows it, and `MAX_OOB` others at most."""
    oob = tuple(Fragment(_place_of(other), "", "delete") for other in others)
    return Update(_place_of(announcement_id), "", "delete", oob)


def in_force(items: Iterable[Markup]) -> Update:
    """The whole list, newest first."""
    return Update(LIST, Markup("\n").join(items))


def _place_of(announcement_id: UUID) -> str:
    return f"#announcement-{announcement_id}"
