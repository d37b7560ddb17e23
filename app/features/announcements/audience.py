"""Whom an announcement concerns: by its priority, unless it names an audience of its own."""

from typing import Literal

import msgspec

from app.features.announcements.model import AnnouncementRow
from app.features.services import Services
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


def audience_of(row: AnnouncementRow) -> Audience:
    """Who hears of it."""
    if row.audience is not None:
        audience: Audience = msgspec.convert(row.audience, Audience)
        return audience
    return concerned(msgspec.convert(row.priority, Priority))


async def settled_audience(services: Services, row: AnnouncementRow) -> Audience:
    """Who hears of it, also when they come later: with all followers and friends in it, as they are now. Raises Unavailable."""
    return await services.hub.settle(audience_of(row), also_absent=True)
