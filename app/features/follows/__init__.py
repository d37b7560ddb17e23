"""Who follows whom. Two who follow each other are friends, and are told when the other comes and goes.

A follow and the notification of who is followed are stored together: both, or none.
"""

from app.features.feature import Feature
from app.features.follows.actions import follow_user, unfollow_user
from app.features.follows.activity import running
from app.features.follows.routes import routes
from app.features.follows.store import StoredFollows, following

__all__ = ["FEATURE", "StoredFollows", "following"]

FEATURE = Feature("follows", routes, actions={"follow-user": follow_user, "unfollow-user": unfollow_user}, running=running)
