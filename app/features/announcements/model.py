"""The table of announcements, how one may change, and whom it concerns: by its priority, unless it names an audience of its own."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import JSON, CheckConstraint, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, UtcDateTime
from app.hub.audience import Audience, roles, signed_in
from app.hub.publication import News
from app.kernel.clock import LAST_TIME, utc_now
from app.kernel.errors import FieldError, InvalidFields
from app.kernel.identity import ADMIN_ROLE
from app.kernel.ids import new_id

Priority = Literal["high", "medium", "low"]
PREMIUM_ROLE = "premium"
NEWS = "announcements"
"""The kind of news of publications that show announcements, change them, or take them away."""
TIMES = News("announcements.times")
"""That the hour of one has changed which is not shown yet."""

FIRST_TIME = datetime(2, 1, 1, tzinfo=UTC)
"""Earlier times have no equal in every time zone: they are not taken."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.msgpack.Encoder().encode

State = Literal["scheduled", "in_force", "expired"]
"""Its time has not come; it is on the screens; its time is over. What was recalled is deleted."""


class AnnouncementRow(Base):
    """One announcement. Deleting it recalls it from every screen."""

    __tablename__ = "announcements"
    __table_args__ = (
        CheckConstraint("priority IN ('high', 'medium', 'low')", name="priority"),
        Index(
            "ix_announcements_shown",
            "expires_at",
            sqlite_where=text("published_at IS NOT NULL"),
            postgresql_where=text("published_at IS NOT NULL"),
        ),
        Index(
            "ix_announcements_due",
            "publish_at",
            sqlite_where=text("published_at IS NULL"),
            postgresql_where=text("published_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    message: Mapped[str] = mapped_column(Text)
    """Plain text, as it was written; escaped where it is shown."""
    priority: Mapped[str] = mapped_column(String(6))
    audience: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Who hears it in place of the priority's audience."""
    author: Mapped[str] = mapped_column(String(200))
    """Name of the user or key that made it."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    edited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    publish_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it is to be shown. None: at once."""
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it leaves every screen. None: when it is recalled."""
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was shown. None: its time has not come. Whoever sets it shows it, and nobody else."""

    @property
    def state(self) -> State:
        """Where it is in its life, now."""
        if self.published_at is None:
            return "scheduled"
        return "expired" if self.expires_at is not None and self.expires_at <= utc_now() else "in_force"

    @property
    def version(self) -> int:
        """Increases with each edit: of two publications of it, made by two nodes, the one with the higher one counts."""
        return version_of(self.edited_at)

    @property
    def concerned(self) -> Audience:
        """Who hears of it."""
        if self.audience is not None:
            audience: Audience = msgspec.convert(self.audience, Audience)
            return audience
        return concerned(msgspec.convert(self.priority, Priority))


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What a publication says of an announcement to the boards of all nodes. How it looks stands in its last part."""

    id: UUID
    version: int = 0
    concerned: Audience | None = None
    """As it is stored: with followers and friends in it not looked up. None: the announcement is recalled."""
    expires_at: datetime | None = None

    @classmethod
    def of(cls, row: AnnouncementRow) -> "Told":
        """Of one that is in force."""
        return cls(row.id, row.version, row.concerned, row.expires_at)

    def news(self) -> News:
        """As it travels."""
        return News(NEWS, _encode(self))


read_told = msgspec.msgpack.Decoder(Told).decode


def version_of(edited_at: datetime | None) -> int:
    """The version that an edit has made; None: there was none."""
    return (edited_at - _EPOCH) // timedelta(microseconds=1) if edited_at is not None else 0


def new(
    *,
    message: str,
    title: str,
    priority: Priority,
    author: str,
    audience: Audience | None = None,
    publish_at: datetime | None = None,
    expires_at: datetime | None = None,
) -> AnnouncementRow:
    """One that is not stored yet; published now, unless its time is still to come. Raises InvalidFields."""
    now = utc_now()
    row = AnnouncementRow(
        id=new_id(),
        title=title,
        message=message,
        priority=priority,
        audience=None if audience is None else msgspec.to_builtins(audience),
        author=author,
        created_at=now,
        publish_at=publish_at,
        expires_at=expires_at,
        published_at=now if publish_at is None or publish_at <= now else None,
    )
    check_times(row, now)
    return row


def concerned(priority: Priority) -> Audience:
    """High: everyone signed in. Medium: premium users and admins. Low: admins."""
    match priority:
        case "high":
            return signed_in
        case "medium":
            return roles(PREMIUM_ROLE, ADMIN_ROLE)
        case "low":
            return roles(ADMIN_ROLE)


def change(row: AnnouncementRow, changes: Mapping[str, Any]) -> None:
    """Make these changes. Raises InvalidFields."""
    now = utc_now()
    if row.published_at is not None and changes.get("publish_at", row.publish_at) != row.publish_at:
        raise InvalidFields([FieldError("/publish_at", "it has been published already; to take it away, recall it")])
    for column, value in changes.items():
        setattr(row, column, value)
    if row.published_at is None and row.publish_at is None:
        row.publish_at = now  # its time has come: the schedule shows it
    row.edited_at = (
        now if row.edited_at is None else max(now, row.edited_at + timedelta(microseconds=1))
    )  # whatever clock a node has
    if not changes.keys().isdisjoint({"publish_at", "expires_at"}):
        check_times(row, now)


def check_times(row: AnnouncementRow, now: datetime) -> None:
    """Raises InvalidFields for times that make no sense."""
    wrong = [
        FieldError(f"/{name}", "times before the year 2 or after the year 9998 have no equal in every time zone")
        for name, moment in (("publish_at", row.publish_at), ("expires_at", row.expires_at))
        if moment is not None and not FIRST_TIME <= moment < LAST_TIME
    ]
    begins = max(filter(None, (row.publish_at, now)))
    if not wrong and row.expires_at is not None and row.expires_at <= begins:
        wrong = [FieldError("/expires_at", "must be later than now, and than the time to be shown; to end it at once, recall it")]
    if wrong:
        raise InvalidFields(wrong)
