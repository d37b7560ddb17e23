"""The table of notifications."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, UtcDateTime

WAITING = "archived_at IS NULL AND (read_at IS NULL OR seen_at IS NULL)"
"""What is counted. Old rows are many, and these are few: an index of them alone."""


class NotificationRow(Base):
    """One notification to one user. The times say when it came into that state; None: not in it."""

    __tablename__ = "notifications"
    __table_args__ = (
        Index(None, "user_id", "id"),
        Index(
            "ix_notifications_waiting",
            "user_id",
            sqlite_where=text(WAITING),
            postgresql_where=text(WAITING),
        ),
        Index(
            "ix_notifications_undelivered",
            "user_id",
            "id",
            sqlite_where=text("delivered_at IS NULL"),
            postgresql_where=text("delivered_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    type: Mapped[str] = mapped_column(String(32))
    """A word for its kind; the CSS class of its fragment."""
    title: Mapped[str] = mapped_column(String(200))
    message: Mapped[str] = mapped_column(Text)
    """Plain text, as it was written; escaped where it is shown."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Put away: no longer on the list, and counted nowhere."""
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was first pushed to its user. None: it waits for the next connect."""
