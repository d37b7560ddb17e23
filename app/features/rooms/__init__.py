"""Rooms, public or private: who belongs to them, and which pages are in them now."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from app.features.feature import Feature
from app.features.rooms.routes import routes
from app.features.rooms.service import (
    PUSHES_AGAIN,
    RoomId,
    check_room_for_one_more,
    come_back,
    entering,
    leave,
    require_member,
    require_presence,
    told_of_entering,
)
from app.features.rooms.service import create as create_room
from app.features.rooms.store import find as find_room
from app.features.rooms.visits import Visits
from app.features.services import Services

__all__ = [
    "FEATURE",
    "RoomId",
    "check_room_for_one_more",
    "create_room",
    "entering",
    "find_room",
    "leave",
    "require_member",
    "require_presence",
    "told_of_entering",
]


@asynccontextmanager
async def _running(services: Services) -> AsyncIterator[None]:
    services.hub.returning.check_rooms = partial(come_back, services)
    async with services.of(Visits).running():
        yield


FEATURE = Feature("rooms", routes, running=_running, pushes_again=PUSHES_AGAIN)
