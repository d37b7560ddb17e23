"""The plain way to a socket, where the server's `send()` waits for a peer that takes nothing."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from api_tests.hub.recording import PLAIN, make_hub
from api_tests.waiting import eventually
from app.hub.audience import everyone
from app.hub.close import Close
from app.hub.hub import Hub
from app.hub.publication import one
from app.web import asgi_sink
from app.web.asgi_sink import AsgiSink
from app.web.conversation import Conversation, Talk
from app.wire.update import Update


async def never(*_: object) -> Any:
    """As a server's `send()` and `receive()` do for a peer that takes nothing and says nothing."""
    await asyncio.Event().wait()


class Stalled:
    """A page that takes nothing, on a hub."""

    def __init__(self, hub: Hub, send: Callable[..., Coroutine[Any, Any, Any]] = never) -> None:
        self.sink = AsgiSink(never, send)
        self.conversation = Conversation(Talk(hub, None, 20, 40, set(), set(), Counter()))
        self.connection = hub.connect(self.sink, PLAIN, None, address="", user_agent="")
        self.conversation.connection = self.connection
        self.served = asyncio.create_task(self.sink.run(self.conversation))


async def stalled_on(hub: Hub) -> Stalled:
    page = Stalled(hub)
    for _ in range(3):
        await hub.publish(one(everyone, Update("#a", "x" * 300, "beforeend")))
        await asyncio.sleep(0)
    await eventually(lambda: page.connection.outbox.blocked)
    assert hub.delivery.held_bytes > 300
    return page


async def test_a_page_that_takes_nothing_is_dropped_when_its_time_after_the_close_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi_sink, "CLOSE_TIMEOUT_S", 0.1)
    hub = make_hub()
    page = await stalled_on(hub)
    hub.close(page.connection, Close.SLOW)
    assert hub.delivery.held_bytes > 300
    await eventually(page.served.done)
    assert (0, True) == (hub.delivery.held_bytes, page.connection.closed_at is not None)


async def test_a_page_that_is_dropped_is_gone_at_once() -> None:
    hub = make_hub()
    page = await stalled_on(hub)
    page.sink.abort()
    page.sink.abort()
    await eventually(page.served.done)
    assert (0, 0) == (hub.delivery.held_bytes, len(hub.registry))


async def test_a_server_that_cannot_send_and_tells_no_end_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi_sink, "CLOSE_TIMEOUT_S", 0.1)

    async def fail(_message: object) -> None:
        raise OSError("the connection is gone")

    hub = make_hub()
    page = Stalled(hub, fail)
    await hub.publish(one(everyone, Update("#a", "x")))
    await eventually(page.served.done)
    assert 0 == len(hub.registry)


async def test_a_page_that_has_slept_for_too_long_is_closed_by_the_hub() -> None:
    hub = make_hub()
    page = await stalled_on(hub)
    page.conversation.stalled()
    assert (0, Close.SLOW) == (len(hub.registry), page.connection.closed_as)
    assert 0 == (await hub.publish(one(everyone, Update("#a", "x")))).matched
    page.sink.abort()
    await page.served
