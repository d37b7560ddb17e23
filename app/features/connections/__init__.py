"""Live connections: who is there, and closing them. Nothing here is stored."""

from app.features.connections.routes import routes
from app.features.feature import Feature

__all__ = ["FEATURE"]

FEATURE = Feature("connections", routes)
