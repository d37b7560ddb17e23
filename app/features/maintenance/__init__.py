"""Maintenance: a notice to everyone who is there, and an event for the site's own code."""

from app.features.feature import Feature
from app.features.maintenance.routes import routes

__all__ = ["FEATURE"]

FEATURE = Feature("maintenance", routes)
