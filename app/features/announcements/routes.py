"""REST: announcements."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

import msgspec
from litestar import Response
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import UNSET, Meta, UnsetType

from app.auth.keys import Caller
from app.features.announcements import service, store, view
from app.features.announcements.model import AnnouncementRow, Priority, State, new
from app.features.announcements.service import MAX_MESSAGE_CHARS
from app.features.dry_run import DryRun, dry_run
from app.features.listing import After, Limit, Page, linked
from app.features.services import GivenServices, Services
from app.hub.audience import Audience
from app.kernel.clock import utc_now
from app.kernel.text import NO_NUL
from app.web.given import GivenCaller
from app.web.operation import operation

TAG = "Announcements"

_PriorityWords = Annotated[
    Priority,
    Meta(description="Who hears: high, everyone signed in; medium, the roles premium and admin; low, the role admin"),
]


_Title = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]
_Message = Annotated[str, Meta(min_length=1, max_length=MAX_MESSAGE_CHARS, pattern=NO_NUL, description="Plain text; shown escaped")]
_Audience = Annotated[Audience | None, Meta(description="In place of the priority's audience")]
_Time = Annotated[datetime, Meta(tz=True)]
_PublishAt = Annotated[_Time | None, Meta(description="When to show it, with a time zone; null: at once")]
_ExpiresAt = Annotated[_Time | None, Meta(description="When it leaves every screen; null: when it is recalled")]


class NewAnnouncement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An announcement to be made."""

    message: _Message
    priority: _PriorityWords
    title: _Title = "Announcement"
    audience: _Audience = None
    publish_at: _PublishAt = None
    expires_at: _ExpiresAt = None


class ChangedAnnouncement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be another; what is not given stays."""

    message: _Message | UnsetType = UNSET
    priority: _PriorityWords | UnsetType = UNSET
    title: _Title | UnsetType = UNSET
    audience: _Audience | UnsetType = UNSET
    publish_at: _PublishAt | UnsetType = UNSET
    expires_at: _ExpiresAt | UnsetType = UNSET


class Announcement(msgspec.Struct, kw_only=True):
    """An announcement."""

    id: UUID
    title: str
    message: str
    priority: Priority
    audience: Audience | None
    author: Annotated[str, Meta(description="The user or key that made it")]
    state: Annotated[State, Meta(description="scheduled, in_force, or expired; what was recalled is gone")]
    created_at: datetime
    edited_at: datetime | None
    publish_at: datetime | None
    published_at: datetime | None
    expires_at: datetime | None

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
    users: Annotated[int, Meta(description="Users among them, however many tabs they have")]


_EXAMPLE = {
    "id": "019312d0-c3f7-7a1b-b1d0-b8e4a3c5f6d7",
    "title": "Maintenance",
    "message": "Back in five minutes",
    "priority": "high",
    "audience": None,
    "author": "shop back office",
    "state": "in_force",
    "created_at": "2026-11-23T20:16:03Z",
    "edited_at": None,
    "publish_at": None,
    "published_at": "2026-11-23T20:16:03Z",
    "expires_at": None,
}


async def try_announcement(data: NewAnnouncement, services: Services, caller: Caller) -> DryRun:
    """What `create_announcement` would do; of one whose time is to come, to those who are there now."""
    row = new(**msgspec.structs.asdict(data), author=caller.name)
    return await dry_run(services, caller, row.concerned, view.published(view.item(row)))


@operation(
    "POST",
    "/announcements",
    dry_run=try_announcement,
    scope="announcements:write",
    tag=TAG,
    summary="Announce",
    status=HTTPStatus.CREATED,
    takes={"title": "Maintenance", "message": "Back in five minutes", "priority": "high"},
    gives={**_EXAMPLE, "matched": 3, "queued": 3, "users": 2},
)
async def create_announcement(
    data: JSONBody[NewAnnouncement], services: GivenServices, caller: GivenCaller
) -> Response[PublishedAnnouncement]:
    """Store an announcement and show it on top of `#announcements` to those whom it concerns: now, or at `publish_at`.

    A page that connects while it is in force is shown it, too. At `expires_at` it leaves every screen.
    """
    made = await service.announce(services, new(**msgspec.structs.asdict(data), author=caller.name))
    matched, queued = made.receipt[1:] if made.receipt is not None else (0, 0)
    shown = msgspec.structs.asdict(Announcement.of(made.row))
    return Response(
        PublishedAnnouncement(**shown, matched=matched, queued=queued, users=made.user_count),
        headers={"Location": f"/api/v1/announcements/{made.row.id}"},
    )


@operation(
    "GET",
    "/announcements",
    scope="announcements:read",
    tag=TAG,
    summary="List announcements",
    gives={"items": [_EXAMPLE], "next_cursor": None},
)
async def list_announcements(
    services: GivenServices,
    limit: Limit = 50,
    cursor: After = None,
    priority: FromQuery[Priority | None] = None,
    only: Annotated[State | None, QueryParameter(name="state", description="Only those in this state")] = None,
) -> Response[AnnouncementPage]:
    """All announcements, newest first."""
    async with services.database.reading() as session:
        found = await store.page(session, priority=priority, state=only, now=utc_now(), limit=limit, cursor=cursor)
    return linked(
        AnnouncementPage([Announcement.of(row) for row in found.rows], found.next_cursor),
        limit=limit,
        priority=priority,
        state=only,
    )


@operation(
    "GET",
    "/announcements/{announcement_id:uuid}",
    scope="announcements:read",
    tag=TAG,
    summary="One announcement",
    gives=_EXAMPLE,
    errors=[404],
)
async def get_announcement(announcement_id: FromPath[UUID], services: GivenServices) -> Announcement:
    """One announcement."""
    async with services.database.reading() as session:
        return Announcement.of(await store.find(session, announcement_id))


@operation(
    "PATCH",
    "/announcements/{announcement_id:uuid}",
    scope="announcements:write",
    tag=TAG,
    summary="Edit an announcement",
    takes={"message": "Back in ten minutes"},
    gives={**_EXAMPLE, "message": "Back in ten minutes", "edited_at": "2026-11-23T20:17:00Z"},
    errors=[404],
)
async def change_announcement(
    announcement_id: FromPath[UUID], data: JSONBody[ChangedAnnouncement], services: GivenServices
) -> Announcement:
    """It changes on every screen that shows it. With another audience or priority, it leaves all and is shown to the new one."""
    return Announcement.of(await service.edit(services, announcement_id, data))


@operation(
    "DELETE",
    "/announcements/{announcement_id:uuid}",
    scope="announcements:write",
    tag=TAG,
    summary="Recall an announcement",
    status=HTTPStatus.NO_CONTENT,
    errors=[404],
)
async def delete_announcement(announcement_id: FromPath[UUID], services: GivenServices) -> None:
    """Delete it; it leaves every screen."""
    await service.recall(services, announcement_id)


routes = [create_announcement, list_announcements, get_announcement, change_announcement, delete_announcement]
