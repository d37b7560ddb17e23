"""The tables of those who are signed in."""

from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, UtcDateTime


class ConsoleSessionRow(Base):
    """A browser that is signed in. Whoever reads this table can sign in with nothing of it."""

    __tablename__ = "console_sessions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the cookie, in hexadecimal digits."""
    key_id: Mapped[str] = mapped_column(String(12))
    """Of the key that it signed in with; empty: `WSX_ADMIN_KEY`."""
    key_digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    """SHA-256 of that key's text: with another `WSX_ADMIN_KEY` it is signed in no more."""
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class ConsoleSealRow(Base):
    """What the cookies of all nodes are sealed with. Whoever reads it can make the server look for a session, and no more."""

    __tablename__ = "console_seals"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """1: there is one row."""
    secret: Mapped[bytes] = mapped_column(LargeBinary(32))
