"""Those who abuse a server: each flood in a process of its own, so that whoever measures is not held up by it.

`python -m api_tests.abuse.floods NAME PORT COUNT [THING …]`: so many attackers of this kind, until its standard input ends and each
of these things has happened to one of them. Then it says, as JSON, how often each thing did.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress

from api_tests.abuse.nasty import NASTY
from api_tests.cluster.processes import token_of
from api_tests.serving.raw import RawPeer, frame, request
from api_tests.waiting import MS, eventually
from app.wire.rfc6455 import CLOSE, PING, TEXT

AHEAD_BYTES = 1_000_000
"""What an attacker has waiting in its own process before it pauses."""
PINGS = frame(PING, b"x" * 125) * 500
MANY_ROOMS = 10_000

Attack = Callable[[RawPeer, Counter[str]], Awaitable[None]]
"""One connection of one attacker, from its first byte to its end; counts what became of it."""


def said(handler: str, **data: object) -> bytes:
    """A request of a page, as its frame."""
    text = json.dumps({"id": "flood", "handler": handler, "target": "#a", "trigger": "click", "data": data})
    return frame(TEXT, text.encode())


async def sign_in(peer: RawPeer, happened: Counter[str]) -> bool:
    """Open the socket as one of a thousand users; whether that was allowed."""
    user_id = f"attacker{happened['connects'] % 1_000}"
    happened["connects"] += 1
    peer.send(request("/ws", sec_websocket_protocol=f"wsx.v1, wsx.token.{token_of(user_id)}"))
    status = int((await peer.reader.readuntil(b"\r\n\r\n")).split(b" ")[1])
    happened[f"HTTP {status}"] += 1
    return status == 101


async def listen(peer: RawPeer, happened: Counter[str]) -> None:
    """Read until the server closes; count its code, and the errors that it told before."""
    while True:
        opcode, payload = await peer.frame()
        if opcode == CLOSE:
            happened[f"closed {int.from_bytes(payload[:2], 'big')}"] += 1
            return
        if opcode == TEXT and (told := json.loads(payload)).get("type") == "error":
            happened[told["code"]] += 1


async def _pour(peer: RawPeer, data: bytes) -> None:
    while True:
        if peer.writer.transport.get_write_buffer_size() < AHEAD_BYTES:
            peer.send(data)
        await asyncio.sleep(MS)


async def pings(peer: RawPeer, happened: Counter[str]) -> None:
    """Wants to be answered, and reads no answer."""
    if await sign_in(peer, happened):
        peer.stop_reading()
        await _pour(peer, PINGS)


async def messages(peer: RawPeer, happened: Counter[str]) -> None:
    """Asks without end."""
    if await sign_in(peer, happened):
        pouring = asyncio.create_task(_pour(peer, said("set-location", latitude=1, longitude=2) * 20))
        try:
            await listen(peer, happened)
        finally:
            pouring.cancel()


async def rooms(peer: RawPeer, happened: Counter[str]) -> None:
    """Joins ten thousand rooms."""
    if await sign_in(peer, happened):
        listening = asyncio.create_task(listen(peer, happened))
        for number in range(MANY_ROOMS):
            peer.send(said("join-room", roomId=f"room{number}"))
            await peer.writer.drain()
        await listening


async def handshakes(peer: RawPeer, happened: Counter[str]) -> None:
    """Comes, and goes at once."""
    await sign_in(peer, happened)


async def half_handshakes(peer: RawPeer, happened: Counter[str]) -> None:
    """Begins a request and does not end it."""
    peer.send(request("/ws")[:60])
    await peer.ended()
    happened["cut"] += 1


async def stalled(peer: RawPeer, happened: Counter[str]) -> None:
    """Reads nothing."""
    if await sign_in(peer, happened):
        peer.stop_reading()
        await asyncio.Event().wait()


async def nasty_frames(peer: RawPeer, happened: Counter[str]) -> None:
    """Breaks the protocol, each time by another frame."""
    data = NASTY[happened["connects"] % len(NASTY)].data
    peer.send(request("/ws", sec_websocket_extensions="permessage-deflate", sec_websocket_protocol="wsx.v1"))
    await peer.reader.readuntil(b"\r\n\r\n")
    happened["connects"] += 1
    peer.send(data)
    await listen(peer, happened)


async def heads(peer: RawPeer, happened: Counter[str]) -> None:
    """Sends one header after the other."""
    peer.send(b"GET / HTTP/1.1\r\nhost: here\r\n")
    pouring = asyncio.create_task(_pour(peer, b"a-name: a value\r\n" * 500))
    try:
        happened[f"HTTP {(await peer.answer())[0]}"] += 1
    finally:
        pouring.cancel()


async def downloads(peer: RawPeer, happened: Counter[str]) -> None:
    """Asks for the largest file, nine times, and reads none of it."""
    happened["connects"] += 1
    peer.stop_reading()
    peer.send(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: here\r\n\r\n" * 9)
    await asyncio.Event().wait()


_ALL = pings, messages, rooms, handshakes, half_handshakes, stalled, nasty_frames, heads, downloads
ATTACKS: dict[str, Attack] = {attack.__name__: attack for attack in _ALL}


async def attack_on(attack: Attack, port: int, happened: Counter[str]) -> None:
    """One attacker: again and again, whatever becomes of it."""
    while True:
        with suppress(OSError, EOFError, TimeoutError):
            async with RawPeer(port) as peer:
                try:
                    await attack(peer, happened)
                finally:
                    peer.writer.transport.abort()
        await asyncio.sleep(MS)


async def flood(name: str, port: int, how_many: int, surely: set[str]) -> Counter[str]:
    """So many attackers, for as long as somebody wants them, and until all of this has happened."""
    happened = Counter[str]()
    attackers = [asyncio.create_task(attack_on(ATTACKS[name], port, happened)) for _ in range(how_many)]
    await asyncio.to_thread(sys.stdin.read)
    with suppress(TimeoutError):
        await eventually(lambda: surely <= happened.keys())
    for attacker in attackers:
        attacker.cancel()
    return happened


@asynccontextmanager
async def flooding(name: str, port: int, how_many: int, surely: Collection[str] = ()) -> AsyncIterator[Counter[str]]:
    """The flood lasts as long as the block, and until all of `surely` has happened; behind it one knows what did."""
    command = (sys.executable, "-m", "api_tests.abuse.floods", name, str(port), str(how_many), *surely)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    happened = Counter[str]()
    try:
        yield happened
        output, _ = await process.communicate(b"")  # which ends its standard input
        assert 0 == process.returncode
        happened.update(json.loads(output))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


if __name__ == "__main__":
    os.nice(10)  # whoever floods does so from another machine: here it has what the server leaves
    _, asked, at, times, *wanted = sys.argv
    sys.stdout.write(json.dumps(asyncio.run(flood(asked, int(at), int(times), set(wanted)))))
