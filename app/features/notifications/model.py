"""The table of notifications."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, UtcDateTime


def _some(name: str, condition: str, *columns: str) -> Index:
    """An index of those rows alone: a page of one of a user's lists reads nothing of the others, however many those are."""
    return Index(f"ix_notifications_{name}", *columns, sqlite_where=text(condition), postgresql_where=text(condition))


class NotificationRow(Base):
    """One notification to one user. The times say when it came into that state; None: not in it."""

    __tablename__ = "notifications"
    __table_args__ = (
        _some("listed", "archived_at IS NULL", "user_id", "id"),
        _some("archived", "archived_at IS NOT NULL", "user_id", "id"),
        # By the columns that are empty in them SQLite prefers these to the first, and counts without a look at the rows.
        _some("unread", "archived_at IS NULL AND read_at IS NULL", "user_id", "read_at", "id", "archived_at"),
        _some("unseen", "archived_at IS NULL AND seen_at IS NULL", "user_id", "seen_at", "id", "archived_at"),
        _some("unpushed", "delivered_at IS NULL", "user_id", "delivered_at", "read_at", "archived_at", "id"),
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
