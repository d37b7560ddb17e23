"""The journal's head, for servers that render pages: what is published after it, their pages catch up on."""

from app.features.cursor.routes import routes
from app.features.feature import Feature

__all__ = ["FEATURE"]

FEATURE = Feature("cursor", routes)
