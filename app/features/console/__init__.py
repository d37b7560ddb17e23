"""The console at `/console`: what operators see and do in a browser, by an API key.

It is made of the product's own parts. What its pages show and change goes through the operations of the REST interface
(`app.web.desk`), in the name of the key: there is no second way to do anything, so scopes, limits and the audit log hold. What
changes on a page by itself is broadcast to it, by a hub of its own (`live`).
"""

from app.features.console.application import Console
from app.features.console.routes import console_routes
from app.features.feature import Feature

__all__ = ["FEATURE", "Console", "console_routes"]

FEATURE = Feature("console", running=lambda services: services.of(Console).running())
