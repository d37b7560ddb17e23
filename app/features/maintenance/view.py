"""What pages see of maintenance."""

from datetime import datetime

from app.features.fragments import fragments
from app.wire.update import Update

LIST = "#system-notices"


def notice(message: str, scheduled_time: datetime) -> Update:
    """On top of the notices. `scheduled_time`: in UTC; a page's own script may show it in its user's zone."""
    fragment = fragments.render(
        "maintenance/notice.html",
        message=message,
        datetime=scheduled_time.isoformat().replace("+00:00", "Z"),
        readable=scheduled_time.strftime("%d %B %Y, %H:%M UTC"),
    )
    return Update(LIST, fragment, "afterbegin")
