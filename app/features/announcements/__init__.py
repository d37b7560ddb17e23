"""Announcements: stored, shown to those whom their priority concerns, now or when their time has come, until they go."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.features.announcements import service
from app.features.announcements.actions import admin_announcement
from app.features.announcements.board import Board, Schedule
from app.features.announcements.routes import routes
from app.features.feature import Feature
from app.features.services import Services

__all__ = ["FEATURE"]


@asynccontextmanager
async def _running(services: Services) -> AsyncIterator[None]:
    board = services.of(Board)
    await board.load()
    services.hub.on_arrival(board.show)
    try:
        async with services.of(Schedule).running(service.show):
            yield
    finally:
        services.hub.on_arrival.remove(board.show)


FEATURE = Feature(
    "announcements",
    routes,
    actions={"admin-announcement": admin_announcement},
    running=_running,
    pushes_again=service.PUSHES_AGAIN,
)
