"""The table of messages, and the news of those in rooms."""

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, UtcDateTime
from app.hub.publication import News

NEWS: Final = "messages"
_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode


class MessageRow(Base):
    """What somebody said, in a room or to one user: exactly one of the two."""

    __tablename__ = "messages"
    __table_args__ = (
        CheckConstraint("(room_id IS NULL) <> (recipient_id IS NULL)", name="one_place"),
        Index(None, "room_id", "id"),
        Index(None, "recipient_id", "id"),
        Index(
            "ix_messages_undelivered",
            "recipient_id",
            "id",
            sqlite_where=text("delivered_at IS NULL AND recipient_id IS NOT NULL"),
            postgresql_where=text("delivered_at IS NULL AND recipient_id IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    room_id: Mapped[str | None] = mapped_column(ForeignKey("rooms.id", ondelete="CASCADE"))
    recipient_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    sender_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """None: the back office wrote it in its own name."""
    author: Mapped[str] = mapped_column(String(200))
    """The name that was shown when it was written."""
    content: Mapped[str] = mapped_column(Text)
    """Plain text, as it was written; escaped where it is shown."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    edited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a private message was first pushed to its recipient. None: it waits for the next connect."""


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What a publication says of a message in a room to the seams of all nodes. How it looks stands in its one part."""

    id: UUID
    room_id: str
    happened: Literal["said", "edited", "removed"]

    def news(self) -> News:
        """As it travels."""
        return News(NEWS, _encode(self))


read_told = msgspec.msgpack.Decoder(Told).decode
