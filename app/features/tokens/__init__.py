"""Tokens and tickets for pages, made for a site that has no library for it; and tokens that count no more.

Of a user, all tokens are revoked that were issued until a moment. That is stored, and each node has all of it in memory: no connect
asks the database. The node that is asked knows it before it answers, and asks all others to know it; those that could not be asked
see it in the database a moment later, or when they start. It stays for ever: nobody here knows how long the site's tokens last.
"""

from app.features.feature import Feature
from app.features.tokens.routes import routes
from app.features.tokens.service import revoke
from app.features.tokens.watch import running

__all__ = ["FEATURE", "revoke"]

FEATURE = Feature("tokens", routes, running=running)
