"""The table of idempotency keys."""

from datetime import datetime

from sqlalchemy import JSON, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, UtcDateTime


class IdempotencyKeyRow(Base):
    """A request that was asked under a key, and what became of it."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "expires_at"),)

    owner: Mapped[str] = mapped_column(String(12), primary_key=True)
    """The id of the API key; empty: `WSX_ADMIN_KEY`."""
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    """SHA-256 of what was asked."""
    attempt: Mapped[str] = mapped_column(String(32))
    """Who carries it out: another one after a claim has lapsed."""
    claimed_until: Mapped[datetime] = mapped_column(UtcDateTime)
    is_stored: Mapped[bool]
    """Whether something was stored in its name."""
    status: Mapped[int | None]
    """Of its answer; null: there is none yet, or it was not kept."""
    headers: Mapped[list[tuple[str, str]] | None] = mapped_column(JSON(none_as_null=True))
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
