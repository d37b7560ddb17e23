"""Notifications: to named users, stored, shown on all their tabs, and with a state: seen, read."""

from app.features.feature import Feature
from app.features.notifications.routes import routes

__all__ = ["FEATURE"]

FEATURE = Feature("notifications", routes)
