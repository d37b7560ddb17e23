"""The tables of rooms, and of who belongs to them."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import WORD, Base, UtcDateTime


class RoomRow(Base):
    """A room. Deleting it deletes its messages."""

    __tablename__ = "rooms"

    id: Mapped[str] = mapped_column(WORD, primary_key=True)
    """The site's own word for it."""
    name: Mapped[str] = mapped_column(String(200))
    is_private: Mapped[bool]
    """Only members may come in; the back office says who is one."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RoomMemberRow(Base):
    """A user belongs to a room: joined it, or was let in by the back office."""

    __tablename__ = "room_members"
    __table_args__ = (Index(None, "user_id"),)

    room_id: Mapped[str] = mapped_column(ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    joined_at: Mapped[datetime] = mapped_column(UtcDateTime)
