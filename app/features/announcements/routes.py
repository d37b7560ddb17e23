"""REST: announcements."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

import msgspec
from litestar import Response
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from app.features.announcements import service, store
from app.features.announcements.audience import Priority
from app.features.announcements.model import AnnouncementRow
from app.features.listing import After, Limit, Page, linked
from app.hub.audience import Audience
from app.kernel.text import NO_NUL
from app.web.given import GivenCaller, GivenDatabase, GivenHub
from app.web.operation import operation

TAG = "Announcements"

MAX_MESSAGE_CHARS = 10_000

_PriorityWords = Annotated[
    Priority,
    Meta(description="Who hears: high, everyone signed in; medium, the roles premium and admin; low, the role admin"),
]


class NewAnnouncement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An announcement to be made."""

    message: Annotated[
        str, Meta(min_length=1, max_length=MAX_MESSAGE_CHARS, pattern=NO_NUL, description="Plain text; shown escaped")
    ]
    priority: _PriorityWords
    title: Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)] = "Announcement"
    audience: Annotated[Audience | None, Meta(description="In place of the priority's audience")] = None


class Announcement(msgspec.Struct, kw_only=True):
    """An announcement."""

    id: UUID
    title: str
    message: str
    priority: Priority
    audience: Audience | None
    author: Annotated[str, Meta(description="The user or key that made it")]
    created_at: datetime

    @classmethod
    def of(cls, row: AnnouncementRow) -> Self:
        """As the REST interface shows it."""
        return msgspec.convert(row, cls, from_attributes=True)


class AnnouncementPage(Page[Announcement]):
    """One page of announcements."""


class PublishedAnnouncement(Announcement, kw_only=True):
    """A new announcement, and whom it reached at once."""

    matched: Annotated[int, Meta(description="Connections in the audience")]
    queued: Annotated[int, Meta(description="Connections that it was queued for")]


_EXAMPLE = {
    "id": "019312d0-c3f7-7a1b-b1d0-b8e4a3c5f6d7",
    "title": "Maintenance",
    "message": "Back in five minutes",
    "priority": "high",
    "audience": None,
    "author": "shop back office",
    "created_at": "2026-11-23T20:16:03Z",
}


@operation(
    "POST",
    "/announcements",
    scope="announcements:write",
    tag=TAG,
    summary="Announce",
    status=HTTPStatus.CREATED,
    takes={"title": "Maintenance", "message": "Back in five minutes", "priority": "high"},
    gives={**_EXAMPLE, "matched": 3, "queued": 3},
    errors=[503],
)
async def create_announcement(
    data: JSONBody[NewAnnouncement], database: GivenDatabase, hub: GivenHub, caller: GivenCaller
) -> Response[PublishedAnnouncement]:
    """Store an announcement and show it on top of `#announcements` to those whom it concerns."""
    row, receipt = await service.announce(
        database,
        hub,
        message=data.message,
        title=data.title,
        priority=data.priority,
        audience=data.audience,
        author=caller.name,
    )
    shown = msgspec.structs.asdict(Announcement.of(row))
    return Response(
        PublishedAnnouncement(**shown, matched=receipt.matched, queued=receipt.queued),
        headers={"Location": f"/api/v1/announcements/{row.id}"},
    )


@operation(
    "GET",
    "/announcements",
    scope="announcements:read",
    tag=TAG,
    summary="List announcements",
    gives={"items": [_EXAMPLE], "next_cursor": None},
    errors=[422, 503],
)
async def list_announcements(
    database: GivenDatabase, limit: Limit = 50, cursor: After = None, priority: FromQuery[Priority | None] = None
) -> Response[AnnouncementPage]:
    """All announcements, newest first."""
    async with database.reading() as session:
        found = await store.page(session, priority=priority, limit=limit, cursor=cursor)
    return linked(
        AnnouncementPage([Announcement.of(row) for row in found.rows], found.next_cursor),
        limit=limit,
        priority=priority,
    )


@operation(
    "GET",
    "/announcements/{announcement_id:uuid}",
    scope="announcements:read",
    tag=TAG,
    summary="One announcement",
    gives=_EXAMPLE,
    errors=[404, 503],
)
async def get_announcement(announcement_id: FromPath[UUID], database: GivenDatabase) -> Announcement:
    """One announcement."""
    async with database.reading() as session:
        return Announcement.of(await store.find(session, announcement_id))


@operation(
    "DELETE",
    "/announcements/{announcement_id:uuid}",
    scope="announcements:write",
    tag=TAG,
    summary="Recall an announcement",
    status=HTTPStatus.NO_CONTENT,
    errors=[404, 503],
)
async def delete_announcement(announcement_id: FromPath[UUID], database: GivenDatabase, hub: GivenHub) -> None:
    """Delete it; it leaves every screen."""
    await service.recall(database, hub, announcement_id)


routes = [create_announcement, list_announcements, get_announcement, delete_announcement]
