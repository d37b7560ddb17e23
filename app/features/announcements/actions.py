"""Socket handler: admins announce."""

from typing import Annotated

import msgspec
from msgspec import Meta

from app.features.announcements import service
from app.features.announcements.model import Priority, new
from app.features.announcements.service import MAX_MESSAGE_CHARS
from app.features.asking import admin, read, written
from app.features.particulars import reached
from app.features.services import Services
from app.hub.connection import Connection
from app.hub.face import html
from app.hub.handlers import Reply, Request
from app.kernel.text import NO_NUL


class Announcing(msgspec.Struct, frozen=True, rename="camel"):
    """What, and whom it concerns."""

    message: Annotated[str, Meta(min_length=1, max_length=MAX_MESSAGE_CHARS, pattern=NO_NUL)]
    priority: Priority


async def admin_announcement(services: Services, request: Request, connection: Connection) -> Reply:
    """Store an announcement and show it to those whom its priority concerns."""
    user = admin(connection)
    asked = read(request, Announcing)
    message = written(asked.message)
    row = new(message=message, title="Announcement", priority=asked.priority, author=user.name)
    made = await service.announce(services, row)
    reached(users=made.user_count)
    return Reply(html("<div>Announcement sent to {} users</div>", made.user_count))
