"""The table of users."""

from datetime import datetime

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import WORD, Base, UtcDateTime


class UserRow(Base):
    """A user of the site, as far as this server knows. Rows are never removed by the server itself."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(WORD, primary_key=True)
    """The site's own id."""
    name: Mapped[str] = mapped_column(String(200))
    roles: Mapped[list[str]] = mapped_column(JSON)
    status: Mapped[str] = mapped_column(String(200), default="", server_default="")
    """What the user says of themselves, in the user's own words; the site's to set."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_connected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """None: named by the back office, never connected."""
