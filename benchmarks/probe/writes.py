"""Messages stored by the product's own code, without sockets: `python writes.py URL HOW SENDERS MESSAGES`.

HOW is one of

    plain    each sender has a session of the ORM and a commit for each message
    writer   each sender gives its message to the writer

Each sender sends its next message when the last one is acknowledged. What is done for a message is the same: its room is there and
stays, its sender has a row, and the message is stored with the note of its push. Prints one line of JSON.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import count

import uvloop

from app.db import migrate
from app.db.session import Database
from app.features.messages.model import MessageRow
from app.features.messages.store import SAYING, Saying
from app.features.rooms import find_room
from app.features.rooms.model import RoomRow
from app.features.unsent import UnsentRow, noted
from app.features.users import ensure_signed_in
from app.kernel.clock import utc_now
from app.kernel.identity import User
from app.kernel.ids import new_id

ROOM = "bench"
CONTENT = "Good morning, all of you. Who has seen the keys of the large meeting room? " * 2
WARMUP = 0.2
"""Of the messages, that are not measured."""

Send = Callable[[Database, User], Awaitable[object]]


def new(sender: User) -> MessageRow:
    return MessageRow(id=new_id(), room_id=ROOM, sender_id=sender.id, author=sender.name, content=CONTENT, created_at=utc_now())


async def plain(database: Database, sender: User) -> None:
    async with database.transaction() as session:
        await find_room(session, ROOM, is_kept=True)
        await ensure_signed_in(session, [sender])
        row = new(sender)
        session.add_all([row, UnsentRow(**noted("message.said", [row.id]))])


async def writer(database: Database, sender: User) -> None:
    row = new(sender)
    await database.write(SAYING, Saying(row, noted("message.said", [row.id]), [sender]), lane=ROOM)


async def sent(database: Database, send: Send, senders: list[User], messages: int) -> list[float]:
    """Seconds until each was acknowledged."""
    left, took = count(), list[float]()

    async def talk(sender: User) -> None:
        while next(left) < messages:
            began = time.perf_counter()
            await send(database, sender)
            took.append(time.perf_counter() - began)

    await asyncio.gather(*map(talk, senders))
    return took


async def measure(url: str, send: Send, count_of_senders: int, messages: int) -> dict[str, float]:
    database = Database(url)
    senders = [User(f"user-{number}", f"User {number}") for number in range(count_of_senders)]
    async with database.transaction() as session:
        await ensure_signed_in(session, senders)
        session.add(RoomRow(id=ROOM, name=ROOM, is_private=False, created_at=utc_now()))
    await sent(database, send, senders, int(WARMUP * messages))
    began = time.perf_counter()
    took = await sent(database, send, senders, messages)
    seconds = time.perf_counter() - began
    await database.close()
    percentiles = statistics.quantiles(took, n=100)
    return {"messages_per_s": messages / seconds, "p50_ms": percentiles[49] * 1e3, "p99_ms": percentiles[98] * 1e3}


if __name__ == "__main__":
    url, how, senders, messages = sys.argv[1:]
    migrate.upgrade(url)
    print(json.dumps(uvloop.run(measure(url, {"plain": plain, "writer": writer}[how], int(senders), int(messages)))))
