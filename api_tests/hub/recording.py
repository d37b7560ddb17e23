"""A socket that remembers what it was given and takes as much as the test allows; and what builds hubs for it."""

import asyncio
import json
from typing import Any

from app.hub.connection import Connection
from app.hub.hub import Hub
from app.hub.settling import Follows
from app.journal.memory import MemoryJournal
from app.kernel.identity import User
from app.wire.dialect import Dialect
from app.wire.prepared import Prepared
from app.wire.wsx import dialect

PLAIN = dialect(extended=False)
V1 = dialect(extended=True)


class RecordingSink:
    """A `Sink`. After `accepts` writes it is full: each further one is taken, and answered False."""

    def __init__(self) -> None:
        self.accepts = 1_000_000
        self.stuck_bytes = 0
        """What of the last write the kernel did not take."""
        self.writes: list[Prepared] = []
        self.closed_with: tuple[int, str] | None = None
        self.is_broken = self.is_aborted = self.is_paused = False

    def write(self, message: Prepared) -> bool:
        if self.is_broken:
            raise RuntimeError("the transport is broken")
        self.writes.append(message)
        return len(self.writes) <= self.accepts

    def close(self, code: int, reason: str) -> None:
        self.closed_with = code, reason

    def abort(self) -> None:
        self.is_aborted = True

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    @property
    def is_open(self) -> bool:
        return self.closed_with is None and not self.is_aborted

    @property
    def is_gone(self) -> bool:
        return self.is_aborted

    def buffered_bytes(self) -> int:
        return self.stuck_bytes

    @property
    def messages(self) -> list[Any]:
        """All that was written, as the page reads it."""
        return [json.loads(payload) for write in self.writes for payload in write.payloads]


class Tab:
    """One connection of a hub and its socket."""

    def __init__(self, hub: Hub, user: User | None, form: Dialect) -> None:
        self.sink = RecordingSink()
        self.connection: Connection = hub.connect(self.sink, form, user, address="192.0.2.1", user_agent="test")

    @property
    def heard(self) -> list[str]:
        """The HTML of every update and batch, in order."""
        found: list[str] = []
        for message in self.sink.messages:
            updates = message.get("updates", [message])
            found += [update["html"] for update in updates if "html" in update]
        return found


def ended() -> RecordingSink:
    """A socket that has ended."""
    sink = RecordingSink()
    sink.abort()
    return sink


def make_hub(
    outbox_bytes: int = 65_536, *, total_bytes: int = 1_000_000_000, grace_s: float = 0.0, follows: Follows | None = None
) -> Hub:
    return Hub(
        MemoryJournal(100), outbox_bytes=outbox_bytes, outbox_total_bytes=total_bytes, presence_grace_s=grace_s, follows=follows
    )


async def turns(number: int = 1) -> None:
    """Let what was scheduled happen, so many turns of the loop long."""
    for _ in range(number):
        await asyncio.sleep(0)


def tab(hub: Hub, user_id: str | None = None, *roles: str, form: Dialect = PLAIN) -> Tab:
    return Tab(hub, None if user_id is None else User(user_id, user_id.title(), frozenset(roles)), form)
