"""Whom an announcement concerns, by its priority."""

from typing import Literal

from app.hub.audience import Audience, roles, signed_in
from app.kernel.identity import ADMIN_ROLE

Priority = Literal["high", "medium", "low"]

PREMIUM_ROLE = "premium"


def concerned(priority: Priority) -> Audience:
    """High: everyone signed in. Medium: premium users and admins. Low: admins."""
    match priority:
        case "high":
            return signed_in
        case "medium":
            return roles(PREMIUM_ROLE, ADMIN_ROLE)
        case "low":
            return roles(ADMIN_ROLE)
