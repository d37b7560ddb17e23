"""Users are the site's: a row appears when one first connects, or when the back office names them.

A row's name and roles are those of the newest token: whatever the back office has put there is replaced at the user's next connect.
The status is the back office's alone.
"""

from app.features.feature import Feature
from app.features.users.actions import broadcast_user_updates
from app.features.users.model import UserRow
from app.features.users.recorder import running
from app.features.users.routes import routes
from app.features.users.service import addressed, addressing, connected_user, name_of
from app.features.users.store import ensure_signed_in, ensure_users, ensuring, hold_users, holding, named

__all__ = [
    "FEATURE",
    "UserRow",
    "addressed",
    "addressing",
    "connected_user",
    "ensure_signed_in",
    "ensure_users",
    "ensuring",
    "hold_users",
    "holding",
    "name_of",
    "named",
]

FEATURE = Feature(
    "users",
    routes,
    actions={"broadcast-user-updates": broadcast_user_updates},
    admin_actions={"broadcast-user-updates"},
    running=running,
)
