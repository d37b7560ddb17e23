"""What is stored when people say something: of many who speak at once by a few statements, however many they are."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from app.db.ids import among
from app.db.many import inserting
from app.db.writer import Kind
from app.features.messages.model import MessageRow
from app.features.rooms import keeping
from app.features.unsent import UnsentRow
from app.features.users import UserRow, ensuring
from app.kernel.errors import NotFound
from app.kernel.identity import User

_STORED: Final = ("id", "room_id", "recipient_id", "sender_id", "author", "content", "created_at")


class Saying(NamedTuple):
    """A new message, and what is stored with it."""

    row: MessageRow
    note: Mapping[str, Any]
    """Of its push."""
    people: Collection[User]
    """They get rows, if they have none. Whom it is written to must be among them, or have one."""


def _store(connection: Connection, sayings: Sequence[Saying]) -> Sequence[NotFound | None]:
    rooms = _rooms_of(connection, sayings)
    users = _recipients_of(connection, sayings)
    outcomes = [_refusal(saying, rooms, users) for saying in sayings]
    stored = [saying for saying, refusal in zip(sayings, outcomes, strict=True) if refusal is None]
    if people := {user.id: user for saying in stored for user in saying.people}:
        connection.execute(*ensuring(connection, people.values()))
    if stored:
        rows = [{name: getattr(saying.row, name) for name in _STORED} for saying in stored]
        connection.execute(*inserting(connection, MessageRow, rows))
        connection.execute(*inserting(connection, UnsentRow, [saying.note for saying in stored]))
    return outcomes


SAYING: Final[Kind[Saying, None]] = Kind("messages", _store)


def _rooms_of(connection: Connection, sayings: Sequence[Saying]) -> Collection[str]:
    """Those of the rooms that there are. Nobody deletes them until the transaction ends."""
    asked = {room_id for saying in sayings if (room_id := saying.row.room_id) is not None}
    return set(connection.scalars(keeping(connection, asked))) if asked else ()


def _recipients_of(connection: Connection, sayings: Sequence[Saying]) -> Collection[str]:
    """Those of the recipients that have a row, or get one."""
    asked = {user_id for saying in sayings if (user_id := saying.row.recipient_id) is not None}
    there = {user.id for saying in sayings for user in saying.people}
    if missing := asked - there:
        there |= set(connection.scalars(select(UserRow.id).where(among(connection, UserRow.id, missing))))
    return there


def _refusal(saying: Saying, rooms: Collection[str], users: Collection[str]) -> NotFound | None:
    if (room_id := saying.row.room_id) is not None and room_id not in rooms:
        return NotFound("no room has this id")
    if (user_id := saying.row.recipient_id) is not None and user_id not in users:
        return NotFound("no user has this id")
    return None
