"""Notifications: to named users, stored, shown on all their tabs, and kept as an inbox: seen, read, archived."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.features.feature import Feature
from app.features.notifications.actions import mark_all_read, mark_notification_read
from app.features.notifications.looks import Looks
from app.features.notifications.routes import routes
from app.features.notifications.service import PUSHES_AGAIN, AwayFromInbox, Notifier, inbox, notifying
from app.features.notifications.view import item as notification_item
from app.features.services import Services

__all__ = ["FEATURE", "Notifier", "inbox", "notification_item", "notifying"]


@asynccontextmanager
async def _running(services: Services) -> AsyncIterator[None]:
    async with services.of(Looks).running(), services.of(AwayFromInbox).running():
        yield


FEATURE = Feature(
    "notifications",
    routes,
    actions={"mark-notification-read": mark_notification_read, "mark-all-read": mark_all_read},
    running=_running,
    pushes_again=PUSHES_AGAIN,
)
