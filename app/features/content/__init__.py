"""What callers of the REST interface put into pages: HTML of their own, cleaned unless they may send any, or a template's.

Templates for callers stand in a folder of their own, `content`: those of the product's own fragments are fed by the product, which
knows what they need, and are no promise to anybody outside.
"""

from app.features.content.model import Content
from app.features.content.offered import offered
from app.features.content.routes import routes
from app.features.content.service import Making, made
from app.features.feature import Feature

__all__ = ["FEATURE", "Content", "Making", "made", "offered"]

FEATURE = Feature("content", routes)
