"""Messages: what people and the back office say in rooms, and what people write to each other."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from app.features.feature import Feature
from app.features.messages.pushing import Looks
from app.features.messages.routes import routes
from app.features.messages.seam import Seam
from app.features.messages.service import (
    PUSHES_AGAIN,
    AwayFromMessages,
    Content,
    Retention,
    last_messages,
    last_private_messages,
    send_to_room,
    send_to_user,
    shown_on_joining,
)
from app.features.messages.store import count_since
from app.features.services import Services

__all__ = [
    "FEATURE",
    "Content",
    "Seam",
    "count_since",
    "last_messages",
    "last_private_messages",
    "send_to_room",
    "send_to_user",
    "shown_on_joining",
]


@asynccontextmanager
async def _running(services: Services) -> AsyncIterator[None]:
    parts = services.of(Looks), services.of(Seam), services.of(AwayFromMessages), services.of(Retention)
    async with AsyncExitStack() as stack:
        for part in parts:
            await stack.enter_async_context(part.running())
        yield


FEATURE = Feature("messages", routes, running=_running, pushes_again=PUSHES_AGAIN)
