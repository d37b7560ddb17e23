"""The demo page at `/`, served with `--demo` only: anybody may sign in under any name and role, so it is never for the public."""

from app.features.demo.routes import demo_routes
from app.features.demo.town import running
from app.features.feature import Feature

__all__ = ["FEATURE", "demo_routes"]

FEATURE = Feature("demo", running=running)
