"""Announcements: stored, then shown to those whom their priority concerns, until they are recalled."""

from app.features.announcements.routes import routes
from app.features.feature import Feature

__all__ = ["FEATURE"]

FEATURE = Feature("announcements", routes)
