"""Users are the site's: a row appears when one first connects, or when the back office names them."""

from app.features.feature import Feature
from app.features.users.model import UserRow
from app.features.users.recorder import running
from app.features.users.store import ensure_users

__all__ = ["FEATURE", "UserRow", "ensure_users"]

FEATURE = Feature("users", running=running)
