"""Chat: what people do in rooms and with messages, over the socket. It puts `rooms` and `messages` together."""

from app.features.chat.actions import join_room, leave_room, private_message, send_message
from app.features.feature import Feature

__all__ = ["FEATURE"]

FEATURE = Feature(
    "chat",
    actions={
        "join-room": join_room,
        "leave-room": leave_room,
        "send-message": send_message,
        "private-message": private_message,
    },
)
