"""Signing in on an open connection: `authenticate` takes what a handshake takes, so that a page need not come anew."""

from app.features.feature import Feature
from app.features.sign_in.actions import authenticate

__all__ = ["FEATURE"]

FEATURE = Feature("sign_in", actions={"authenticate": authenticate})
