"""What comes for many sockets at once: all of it is done, in order, and others have their turns in between."""

import asyncio
import time
from collections import Counter

from api_tests.serving.raw import Ear, RawPeer, serving
from api_tests.waiting import MS, eventually
from app.kernel.stretches import Stretches
from app.serving.stretches import MAX_HOLD_S

CALL_S = 2 * MS


class Turns:
    """Counts the turns of the loop."""

    def __init__(self) -> None:
        self.now = 0
        self._next()

    def _next(self) -> None:
        self.now += 1
        self._handle = asyncio.get_running_loop().call_soon(self._next)

    def stop(self) -> None:
        self._handle.cancel()


async def test_calls_are_made_in_order_and_a_turn_has_few_of_them():
    stretches, turns = Stretches(MAX_HOLD_S), Turns()
    done: list[tuple[int, int]] = []

    def call(number: int) -> None:
        time.sleep(CALL_S)
        done.append((turns.now, number))

    for number in range(20):
        stretches.add(lambda number=number: call(number))
    assert [] == done
    await eventually(lambda: 20 == len(done))
    turns.stop()
    assert list(range(20)) == [number for _, number in done]
    assert max(Counter(turn for turn, _ in done).values()) <= MAX_HOLD_S / CALL_S + 1


async def test_what_a_call_adds_is_done_too():
    stretches = Stretches(MAX_HOLD_S)
    done: list[str] = []
    stretches.add(lambda: (done.append("first"), stretches.add(lambda: done.append("added"))))
    await eventually(lambda: done == ["first", "added"])
    stretches.add(lambda: done.append("later"))
    await eventually(lambda: done == ["first", "added", "later"])


async def test_a_call_that_raises_keeps_none_of_the_others():
    stretches = Stretches(MAX_HOLD_S)
    done: list[str] = []
    said: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(str(context["exception"])))

    def fail() -> None:
        message = "broken"
        raise RuntimeError(message)

    stretches.add(lambda: done.append("first"))
    stretches.add(fail)
    stretches.add(lambda: done.append("last"))
    await eventually(lambda: ["first", "last"] == done)
    stretches.add(lambda: done.append("later"))
    await eventually(lambda: "later" in done)
    assert ["broken"] == said


async def test_sockets_that_end_together_are_told_so_in_several_turns():
    ends: list[int] = []

    class Slow(Ear):
        def closed(self, code: int, reason: str) -> None:
            super().closed(code, reason)
            time.sleep(CALL_S)
            ends.append(turns.now)

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        scope["extensions"]["wsx.socket"].detach(Slow())

    async with serving(app) as server:
        peers = [await (await RawPeer(server.port).__aenter__()).open() for _ in range(20)]
        turns = Turns()
        for socket in server.sockets:
            socket.abort()
        await eventually(lambda: 20 == len(ends))
        turns.stop()
        assert max(Counter(ends).values()) <= MAX_HOLD_S / CALL_S + 1
        assert [] == server.sockets
        for peer in peers:
            peer.writer.close()
