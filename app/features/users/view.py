"""What pages see of users: their own lines."""

from app.features.fragments import fragments
from app.wire.update import Update

LINES = "#user-updates"
NO_STATUS = "online"
"""The status of those who have set none: they are told because they are there."""


def own_line(name: str, status: str) -> Update:
    """A user's own line, on top of the others."""
    return Update(LINES, fragments.render("users/line.html", name=name, status=status or NO_STATUS), "afterbegin")


def lines_sent(users_count: int) -> str:
    """The answer to the admin who had the lines sent."""
    return fragments.render("users/lines-sent.html", users_count=users_count)
