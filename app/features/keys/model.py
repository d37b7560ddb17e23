"""The table of API keys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import JSON, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, UtcDateTime


class ApiKeyRow(Base):
    """One API key; never its secret."""

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    key_id: Mapped[str] = mapped_column(String(12), unique=True)
    """The part of the key's text that finds this row."""
    name: Mapped[str] = mapped_column(String(100))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    targets: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """The places of pages that it may write to. None: all."""
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    """SHA-256 of the key's text."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Within a minute of the truth."""
