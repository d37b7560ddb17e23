"""REST: notifications."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

import msgspec
from litestar import Response
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from app.auth.keys import Caller
from app.auth.scopes import allows
from app.features.dry_run import DryRun, dry_run
from app.features.listing import After, Limit, Page, linked
from app.features.notifications import service, store
from app.features.notifications.model import NotificationRow
from app.features.notifications.service import Marked
from app.features.notifications.store import Listed
from app.features.paths import UserIdInPath
from app.features.services import GivenServices, Services
from app.hub.audience import Ids, users
from app.kernel.text import NO_NUL
from app.web.given import GivenDatabase
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
    archived_at: datetime | None

    @classmethod
    def of(cls, row: NotificationRow) -> Self:
        """As the REST interface shows it."""
        return msgspec.convert(row, cls, from_attributes=True)


class MarkedNotification(Notification, kw_only=True):
    """A notification after a change, and what waits for its user then: counted in the same transaction."""

    unread_count: int
    unseen_count: int

    @classmethod
    def after(cls, marked: Marked) -> Self:
        """As the REST interface shows it."""
        shown = msgspec.structs.asdict(Notification.of(marked.row))
        return cls(**shown, unread_count=marked.waiting.unread, unseen_count=marked.waiting.unseen)


class AllRead(msgspec.Struct):
    """What was marked, and what waits now."""

    marked: int
    unread_count: int
    unseen_count: int


class SentNotifications(msgspec.Struct):
    """The new notifications, in the order of the user ids, and how many connections were told at once."""

    items: list[Notification]
    queued: int
    new_users: Annotated[list[str], Meta(description="Users of whom nothing was known here before: perhaps an id was mistyped")]


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
    "archived_at": None,
}
_AT = "2026-11-23T20:17:00Z"
_WAITING = {"unread_count": 1, "unseen_count": 1}
_NONE_WAITING = {"unread_count": 0, "unseen_count": 0}


async def try_notifications(data: NewNotification, services: Services, caller: Caller) -> DryRun:
    """What `create_notifications` would do: what the first of the users would be shown. Those who are away would see it later.

    How many wait for that user is for keys that may read it; others see it as for somebody for whom nothing waits.
    """
    user_ids = sorted(data.user_ids)
    shown = await service.would_arrive(
        services,
        user_ids[0],
        kind=data.type,
        title=data.title,
        message=data.message,
        counts_waiting=allows(caller.scopes, "notifications:read"),
    )
    return await dry_run(services, caller, users(*user_ids), shown)


@operation(
    "POST",
    "/notifications",
    dry_run=try_notifications,
    scope="notifications:write",
    tag=TAG,
    summary="Notify users",
    status=HTTPStatus.CREATED,
    takes={"user_ids": ["ada"], "type": "info", "title": "New order", "message": "Order 1042 was paid"},
    gives={"items": [_EXAMPLE], "queued": 2, "new_users": []},
    errors=[503],
)
async def create_notifications(data: JSONBody[NewNotification], services: GivenServices) -> SentNotifications:
    """Store a notification for each of up to 1,000 users and show it on top of `#notifications` on all their tabs.

    A user who is away is shown it at the next connect.
    """
    sent = await service.notify(services, user_ids=sorted(data.user_ids), kind=data.type, title=data.title, message=data.message)
    return SentNotifications([Notification.of(row) for row in sent.rows], sent.queued, sorted(sent.new_users))


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
    user_id: UserIdInPath,
    database: GivenDatabase,
    limit: Limit = 50,
    cursor: After = None,
    only: Annotated[Listed, QueryParameter(name="state", description="Which of them; `all`: those not archived")] = "all",
) -> Response[Inbox]:
    """Newest first, with the number of unread and unseen ones. A user nobody heard of has none."""
    async with database.reading() as session:
        found = await store.page(session, user_id, listed=only, limit=limit, cursor=cursor)
        waiting = (await store.counts(session, [user_id]))[user_id]
    items = [Notification.of(row) for row in found.rows]
    return linked(Inbox(items, found.next_cursor, waiting.unread, waiting.unseen), limit=limit, state=only)


@operation(
    "PUT",
    "/notifications/{notification_id:uuid}/read",
    scope="notifications:write",
    tag=TAG,
    summary="Mark as read",
    gives={**_EXAMPLE, "seen_at": _AT, "read_at": _AT, **_NONE_WAITING},
    errors=[404],
)
async def mark_notification_read(notification_id: FromPath[UUID], services: GivenServices) -> MarkedNotification:
    """It counts as seen, too. The item and the badge change on all tabs of the user. Doing it again changes nothing."""
    return MarkedNotification.after(await service.mark(services, notification_id, "read", on=True))


@operation(
    "DELETE",
    "/notifications/{notification_id:uuid}/read",
    scope="notifications:write",
    tag=TAG,
    summary="Mark as unread",
    status=HTTPStatus.OK,
    gives={**_EXAMPLE, "seen_at": _AT, **_WAITING, "unseen_count": 0},
    errors=[404],
)
async def mark_notification_unread(notification_id: FromPath[UUID], services: GivenServices) -> MarkedNotification:
    """The reverse: the item and the badge change on all tabs of the user."""
    return MarkedNotification.after(await service.mark(services, notification_id, "read", on=False))


@operation(
    "PUT",
    "/notifications/{notification_id:uuid}/seen",
    scope="notifications:write",
    tag=TAG,
    summary="Mark as seen",
    gives={**_EXAMPLE, "seen_at": _AT, **_WAITING, "unseen_count": 0},
    errors=[404],
)
async def mark_notification_seen(notification_id: FromPath[UUID], services: GivenServices) -> MarkedNotification:
    """It was on a screen, though perhaps not read."""
    return MarkedNotification.after(await service.mark(services, notification_id, "seen", on=True))


@operation(
    "DELETE",
    "/notifications/{notification_id:uuid}/seen",
    scope="notifications:write",
    tag=TAG,
    summary="Mark as unseen",
    status=HTTPStatus.OK,
    gives={**_EXAMPLE, **_WAITING},
    errors=[404],
)
async def mark_notification_unseen(notification_id: FromPath[UUID], services: GivenServices) -> MarkedNotification:
    """The reverse; read it stays, if it was."""
    return MarkedNotification.after(await service.mark(services, notification_id, "seen", on=False))


@operation(
    "PUT",
    "/notifications/{notification_id:uuid}/archived",
    scope="notifications:write",
    tag=TAG,
    summary="Archive",
    gives={**_EXAMPLE, "archived_at": _AT, **_NONE_WAITING},
    errors=[404],
)
async def archive_notification(notification_id: FromPath[UUID], services: GivenServices) -> MarkedNotification:
    """Put it away: it leaves the list on all tabs of the user, and is counted no longer."""
    return MarkedNotification.after(await service.mark(services, notification_id, "archived", on=True))


@operation(
    "DELETE",
    "/notifications/{notification_id:uuid}/archived",
    scope="notifications:write",
    tag=TAG,
    summary="Take out of the archive",
    status=HTTPStatus.OK,
    gives={**_EXAMPLE, **_WAITING},
    errors=[404],
)
async def unarchive_notification(notification_id: FromPath[UUID], services: GivenServices) -> MarkedNotification:
    """The reverse: it is on top of the list again."""
    return MarkedNotification.after(await service.mark(services, notification_id, "archived", on=False))


@operation(
    "POST",
    "/users/{user_id:str}/notifications/read-all",
    scope="notifications:write",
    tag=TAG,
    summary="Mark all as read",
    status=HTTPStatus.OK,
    gives={"marked": 3, **_NONE_WAITING},
)
async def mark_all_notifications_read(user_id: UserIdInPath, services: GivenServices) -> AllRead:
    """All that are not archived; the list and the badge change on all tabs of the user. Again marks none."""
    marked, waiting = await service.mark_all_read(services, user_id)
    return AllRead(marked, waiting.unread, waiting.unseen)


routes = [
    create_notifications,
    list_notifications,
    mark_notification_read,
    mark_notification_unread,
    mark_notification_seen,
    mark_notification_unseen,
    archive_notification,
    unarchive_notification,
    mark_all_notifications_read,
]
