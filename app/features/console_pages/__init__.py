"""The pages of the console: what each shows, whom it is for, and what can be done on it.

A page asks operations of the REST interface (`app.web.desk`), and knows nothing else of the product: so scopes, limits and the
audit log hold, and there is one implementation. How pages are served and kept up to date is in `app.features.console`.
"""

from app.features.console_pages import announcements, connections, notifications, overview, records, rooms
from app.features.console_pages.page import Act, Done, Form, Outcome, Page, Shown, Visit, told

__all__ = ["PAGES", "Act", "Done", "Form", "Outcome", "Page", "Shown", "Visit", "told"]

PAGES = (
    overview.OVERVIEW,
    connections.CONNECTIONS,
    connections.CONNECTION,
    rooms.ROOMS,
    rooms.ROOM,
    announcements.ANNOUNCEMENTS,
    notifications.NOTIFICATIONS,
    records.AUDIT,
    records.KEYS,
)
