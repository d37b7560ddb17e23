"""Ad-hoc broadcasts: HTML to an audience, now or at a steady pace, and not stored."""

from app.features.broadcasts.actions import mass_update, rate_limited_update
from app.features.broadcasts.routes import routes
from app.features.broadcasts.service import running
from app.features.feature import Feature

__all__ = ["FEATURE"]

FEATURE = Feature(
    "broadcasts",
    routes,
    actions={"mass-update": mass_update, "rate-limited-update": rate_limited_update},
    admin_actions={"mass-update"},
    running=running,
)
