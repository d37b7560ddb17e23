"""A stream of events whose reader takes nothing, or goes."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from api_tests.hub.recording import make_hub
from api_tests.waiting import eventually
from api_tests.web.test_asgi_sink import never
from app.hub.close import Close
from app.hub.connection import Connection
from app.hub.hub import Hub
from app.web import asgi_sink, event_sink
from app.web.conversation import Conversation, Talk
from app.web.event_sink import EventSink
from app.wire.events import STREAMS


class Read:
    """A stream on a hub."""

    def __init__(
        self, hub: Hub, send: Callable[..., Any], *, cut: Callable[[], None] | None = None, heartbeat_s: float = 20
    ) -> None:
        sink = EventSink(never, send, [], heartbeat_s=heartbeat_s, cut=cut)
        conversation = Conversation(Talk(hub, None, 20, 40, set(), set(), Counter()))
        self.connection: Connection = hub.connect(sink, STREAMS["wsx"], None, address="", user_agent="")
        conversation.connection = self.connection
        self.sink = sink
        self.served = asyncio.create_task(sink.run(conversation))


async def test_who_takes_nothing_for_long_is_closed_as_slow_and_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_sink, "MAX_STALL_S", 0.05)
    monkeypatch.setattr(asgi_sink, "CLOSE_TIMEOUT_S", 0.05)
    cuts: list[int] = []

    async def begin(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            await never()

    hub = make_hub()
    stream = Read(hub, begin, cut=lambda: cuts.append(1))
    await eventually(stream.served.done)
    stream.sink.abort()
    assert (Close.SLOW, [1], 0) == (stream.connection.closed_as, cuts, len(hub.registry))


async def test_a_quiet_stream_says_that_it_is_there() -> None:
    sent: list[bytes] = []

    async def note(message: dict[str, Any]) -> None:
        sent.append(message.get("body", b""))

    stream = Read(make_hub(), note, heartbeat_s=0.01)
    await eventually(lambda: sent.count(b":\n\n") >= 2)
    stream.sink.abort()
    await stream.served
    assert 0 == stream.sink.buffered_bytes()
