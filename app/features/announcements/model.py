"""The table of announcements."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, UtcDateTime


class AnnouncementRow(Base):
    """One announcement. Deleting it recalls it from every screen."""

    __tablename__ = "announcements"
    __table_args__ = (CheckConstraint("priority IN ('high', 'medium', 'low')", name="priority"),)

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
