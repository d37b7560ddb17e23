"""The table of the audit log."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, UtcDateTime


class AuditEventRow(Base):
    """One call, or several refusals that are alike. Never changed: a trigger of the database refuses it."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index(None, "actor_id", "id"),
        Index(None, "operation", "id"),
        Index(
            None,
            "connection_id",
            "id",
            sqlite_where=text("connection_id IS NOT NULL"),
            postgresql_where=text("connection_id IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """Made at the time of the (first) call."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    written_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    """Later than `at`; by hours, where the database was away."""
    actor: Mapped[str] = mapped_column(String(8))
    """key, user, command, nobody or several."""
    actor_id: Mapped[str] = mapped_column(String(128))
    actor_name: Mapped[str] = mapped_column(String(200))
    operation: Mapped[str] = mapped_column(String(64))
    targets: Mapped[dict[str, str]] = mapped_column(JSON)
    connection_id: Mapped[str | None] = mapped_column(String(128))
    """That of `targets`, to be found by."""
    audience: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    counts: Mapped[dict[str, int]] = mapped_column(JSON)
    status: Mapped[int]
    code: Mapped[str] = mapped_column(String(64))
    times: Mapped[int]
    """How many calls this stands for."""
    request_id: Mapped[str] = mapped_column(String(128))
    """Of the first one."""
    address: Mapped[str] = mapped_column(String(64))
