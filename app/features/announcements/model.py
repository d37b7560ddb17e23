"""The table of announcements, and whom one concerns: by its priority, unless it names an audience of its own."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import JSON, CheckConstraint, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, UtcDateTime
from app.hub.audience import Audience, roles, signed_in
from app.kernel.clock import utc_now
from app.kernel.identity import ADMIN_ROLE

Priority = Literal["high", "medium", "low"]
PREMIUM_ROLE = "premium"

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
    def concerned(self) -> Audience:
        """Who hears of it."""
        if self.audience is not None:
            audience: Audience = msgspec.convert(self.audience, Audience)
            return audience
        return concerned(msgspec.convert(self.priority, Priority))


def concerned(priority: Priority) -> Audience:
    """High: everyone signed in. Medium: premium users and admins. Low: admins."""
    match priority:
        case "high":
            return signed_in
        case "medium":
            return roles(PREMIUM_ROLE, ADMIN_ROLE)
        case "low":
            return roles(ADMIN_ROLE)
