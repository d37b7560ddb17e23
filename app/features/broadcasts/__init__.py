"""Ad-hoc broadcasts: HTML from the back office to an audience, now, and not stored."""

from app.features.broadcasts.content import clean
from app.features.broadcasts.routes import routes
from app.features.feature import Feature

__all__ = ["FEATURE", "clean"]

FEATURE = Feature("broadcasts", routes)
