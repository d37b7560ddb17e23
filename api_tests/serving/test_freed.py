"""What has ended is freed at once: the garbage collector comes seldom to what has lived for long."""

import gc
from collections import Counter

from api_tests.server import run_server
from api_tests.serving.raw import RawPeer, request
from api_tests.waiting import eventually
from app.hub.connection import Connection
from app.hub.outbox import Outbox
from app.serving.door import Door
from app.serving.patience import Wait
from app.serving.protocol import WsxProtocol
from app.settings import Settings
from app.web.conversation import Conversation

KINDS = (Connection, Conversation, Door, Outbox, Wait, WsxProtocol)


def alive() -> Counter[type]:
    return Counter(kind for kind in map(type, gc.get_objects()) if kind in KINDS)


async def test_a_connection_that_has_ended_is_freed_without_the_garbage_collector(settings: Settings):
    async with run_server(settings) as server:
        gc.collect()
        gc.disable()
        try:
            before = alive()
            async with server.socket("ada"), server.socket(), RawPeer(server.port), RawPeer(server.port) as refused:
                refused.send(request("/nowhere"))
                await eventually(lambda: alive()[Connection] == before[Connection] + 2)
            await eventually(lambda: alive() == before)
        finally:
            gc.enable()
