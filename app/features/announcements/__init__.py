"""Announcements: stored, shown to those whom their priority concerns, now or when their time has come, until they go."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.features.announcements import service
from app.features.announcements.actions import admin_announcement
from app.features.announcements.board import Board
from app.features.announcements.routes import routes
from app.features.feature import Feature
from app.features.services import Services

__all__ = ["FEATURE"]


@asynccontextmanager
async def _running(services: Services) -> AsyncIterator[None]:
    async with services.of(Board).running(), services.of(service.Schedule).running():
        yield


FEATURE = Feature(
    "announcements",
    routes,
    actions={"admin-announcement": admin_announcement},
    admin_actions={"admin-announcement"},
    running=_running,
    pushes_again=service.PUSHES_AGAIN,
)
