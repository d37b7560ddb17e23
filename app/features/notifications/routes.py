"""REST: notifications."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal, Self
from uuid import UUID

import msgspec
from litestar import Response
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter
from msgspec import Meta

from app.features.listing import After, Limit, Page, linked
from app.features.notifications import service, store
from app.features.notifications.model import NotificationRow
from app.hub.audience import Ids
from app.kernel.text import NO_NUL
from app.web.given import GivenDatabase, GivenHub
from app.web.operation import operation

TAG = "Notifications"

MAX_MESSAGE_CHARS = 10_000


class NewNotification(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A notification to be sent to each of the users."""

    user_ids: Annotated[Ids, Meta(description="The site's own ids; one that is new makes a row for that user")]
    title: Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]
    message: Annotated[str, Meta(max_length=MAX_MESSAGE_CHARS, pattern=NO_NUL, description="Plain text; shown escaped")] = ""
    type: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9-]{0,31}$(?!\n)",
            description="A word for its kind, such as info or warning; the CSS class of its fragment",
        ),
    ] = "info"


class Notification(msgspec.Struct, kw_only=True):
    """A notification of one user."""

    id: UUID
    user_id: str
    type: str
    title: str
    message: str
    created_at: datetime
    seen_at: datetime | None
    read_at: datetime | None

    @classmethod
    def of(cls, row: NotificationRow) -> Self:
        """As the REST interface shows it."""
        return msgspec.convert(row, cls, from_attributes=True)


class SentNotifications(msgspec.Struct):
    """The new notifications, in the order of the user ids, and how many connections were told at once."""

    items: list[Notification]
    queued: int


class Inbox(Page[Notification]):
    """One page of a user's notifications, and what waits in all."""

    unread_count: int = 0
    unseen_count: int = 0


_EXAMPLE = {
    "id": "019312d0-c3f7-7a1b-b1d0-b8e4a3c5f6d7",
    "user_id": "ada",
    "type": "info",
    "title": "New order",
    "message": "Order 1042 was paid",
    "created_at": "2026-11-23T20:16:03Z",
    "seen_at": None,
    "read_at": None,
}
_READ = {**_EXAMPLE, "seen_at": "2026-11-23T20:17:00Z", "read_at": "2026-11-23T20:17:00Z"}


@operation(
    "POST",
    "/notifications",
    scope="notifications:write",
    tag=TAG,
    summary="Notify users",
    status=HTTPStatus.CREATED,
    takes={"user_ids": ["ada"], "type": "info", "title": "New order", "message": "Order 1042 was paid"},
    gives={"items": [_EXAMPLE], "queued": 2},
    errors=[503],
)
async def create_notifications(data: JSONBody[NewNotification], database: GivenDatabase, hub: GivenHub) -> SentNotifications:
    """Store a notification for each of up to 1,000 users and show it on top of `#notifications` on all their tabs."""
    rows, queued = await service.notify(
        database, hub, user_ids=sorted(data.user_ids), kind=data.type, title=data.title, message=data.message
    )
    return SentNotifications([Notification.of(row) for row in rows], queued)


@operation(
    "GET",
    "/users/{user_id:str}/notifications",
    scope="notifications:read",
    tag=TAG,
    summary="A user's notifications",
    gives={"items": [_EXAMPLE], "next_cursor": None, "unread_count": 1, "unseen_count": 1},
    errors=[422, 503],
)
async def list_notifications(
    user_id: Annotated[str, PathParameter(max_length=128)],
    database: GivenDatabase,
    limit: Limit = 50,
    cursor: After = None,
    only: Annotated[Literal["all", "unread"], QueryParameter(name="state", description="Which of them")] = "all",
) -> Response[Inbox]:
    """Newest first, with the number of unread and unseen ones. A user nobody heard of has none."""
    async with database.reading() as session:
        found = await store.page(session, user_id, unread_only=only == "unread", limit=limit, cursor=cursor)
        waiting = (await store.counts(session, [user_id]))[user_id]
    items = [Notification.of(row) for row in found.rows]
    return linked(Inbox(items, found.next_cursor, waiting.unread, waiting.unseen), limit=limit, state=only)


@operation(
    "PUT",
    "/notifications/{notification_id:uuid}/read",
    scope="notifications:write",
    tag=TAG,
    summary="Mark as read",
    gives=_READ,
    errors=[404, 503],
)
async def mark_notification_read(notification_id: FromPath[UUID], database: GivenDatabase, hub: GivenHub) -> Notification:
    """The item and the badge change on all tabs of the user. Doing it again changes nothing."""
    return Notification.of(await service.mark(database, hub, notification_id, "read", on=True))


@operation(
    "DELETE",
    "/notifications/{notification_id:uuid}/read",
    scope="notifications:write",
    tag=TAG,
    summary="Mark as unread",
    status=HTTPStatus.OK,
    gives=_EXAMPLE,
    errors=[404, 503],
)
async def mark_notification_unread(notification_id: FromPath[UUID], database: GivenDatabase, hub: GivenHub) -> Notification:
    """The reverse: the item and the badge change on all tabs of the user."""
    return Notification.of(await service.mark(database, hub, notification_id, "read", on=False))


@operation(
    "PUT",
    "/notifications/{notification_id:uuid}/seen",
    scope="notifications:write",
    tag=TAG,
    summary="Mark as seen",
    gives={**_EXAMPLE, "seen_at": "2026-11-23T20:17:00Z"},
    errors=[404, 503],
)
async def mark_notification_seen(notification_id: FromPath[UUID], database: GivenDatabase, hub: GivenHub) -> Notification:
    """It was on a screen, though perhaps not read."""
    return Notification.of(await service.mark(database, hub, notification_id, "seen", on=True))


@operation(
    "DELETE",
    "/notifications/{notification_id:uuid}/seen",
    scope="notifications:write",
    tag=TAG,
    summary="Mark as unseen",
    status=HTTPStatus.OK,
    gives=_EXAMPLE,
    errors=[404, 503],
)
async def mark_notification_unseen(notification_id: FromPath[UUID], database: GivenDatabase, hub: GivenHub) -> Notification:
    """The reverse; read it stays, if it was."""
    return Notification.of(await service.mark(database, hub, notification_id, "seen", on=False))


routes = [
    create_notifications,
    list_notifications,
    mark_notification_read,
    mark_notification_unread,
    mark_notification_seen,
    mark_notification_unseen,
]
