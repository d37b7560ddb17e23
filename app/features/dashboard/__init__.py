"""The dashboard of admins: live numbers beside the back office's own figures, every interval and at once when figures change."""

from app.features.dashboard.routes import routes
from app.features.dashboard.service import Screens, running
from app.features.feature import Feature

__all__ = ["FEATURE", "Screens"]

FEATURE = Feature("dashboard", routes, running=running)
