"""Compressed messages over real connections: with a client of others, and byte by byte."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from api_tests.client import ApiClient
from api_tests.compressions import noted_compressions
from api_tests.server import ADMIN_KEY, run_server
from api_tests.serving.raw import Ear, Frame, RawPeer, close_frame, detaching, frame, request, serving
from api_tests.waiting import SOON_S, eventually
from app.settings import Settings
from app.wire.deflate import deflate
from app.wire.prepared import Prepared
from app.wire.rfc6455 import BINARY, CONTINUATION, PING, PONG, RSV1, TEXT

HTML = "<li class='item'>Grüße</li>" * 40
OFFER = "permessage-deflate; client_max_window_bits"
ANSWER = b"\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"


def crowd() -> tuple[Any, list[Ear]]:
    """An application whose sockets each have an ear of their own, in the order in which they came."""
    ears: list[Ear] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ears.append(Ear())
        await detaching(ears[-1])(scope, receive, send)

    return app, ears


@pytest.fixture
def compressions(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    return noted_compressions(monkeypatch)


async def told(socket: ClientConnection) -> str | bytes:
    async with asyncio.timeout(SOON_S):
        return await socket.recv()


async def read(peer: RawPeer, message: Prepared) -> bytes:
    """As many bytes as the message has for those who have it compressed."""
    assert message.compressed is not None
    async with asyncio.timeout(SOON_S):
        return await peer.reader.readexactly(len(message.compressed))


@pytest.mark.parametrize(
    "how",
    [
        {"compression": "deflate"},
        {"compression": None, "extensions": [ClientPerMessageDeflateFactory()]},
        {"compression": None, "extensions": [ClientPerMessageDeflateFactory(client_max_window_bits=9)]},
        {"compression": None, "extensions": [ClientPerMessageDeflateFactory(server_max_window_bits=15)]},
    ],
    ids=["as it ships", "without limits", "a small window of its own", "a large window of ours"],
)
async def test_a_client_of_others_and_we_read_each_other(how: dict[str, Any]) -> None:
    app, ears = crowd()
    texts = [HTML, "short", HTML[::-1] + "x" * 20_000, HTML]
    async with serving(app) as server, connect(f"ws://127.0.0.1:{server.port}", proxy=None, **how) as socket:
        assert ["permessage-deflate"] == [extension.name for extension in socket.protocol.extensions]
        for text in texts:
            await socket.send(text)
        await socket.send(os.urandom(30_000))
        await eventually(lambda: len(texts) + 1 == len(ears[0].heard))
        assert [*texts, 30_000] == [*ears[0].heard[:-1], len(ears[0].heard[-1])]
        for text in texts:
            assert ears[0].sink.write(Prepared(text.encode()))
            assert text == await told(socket)


async def test_who_does_not_offer_it_hears_the_same_uncompressed_and_many_cost_one_compression(compressions: list[bytes]) -> None:
    app, ears = crowd()
    async with serving(app) as server, server.peer() as plain, server.peer() as one, server.peer() as other:
        await plain.open()
        await one.open(sec_websocket_extensions=OFFER)
        await other.open(sec_websocket_extensions=OFFER)
        message = Prepared(HTML.encode())
        for sink in server.sockets:
            assert sink.write(message)
        assert (b"Sec-WebSocket-Extensions" in plain.head, ANSWER in one.head, ANSWER in other.head) == (False, True, True)
        assert Frame(TEXT, HTML.encode()) == await plain.frame()
        assert [message.compressed] * 2 == [await read(one, message), await read(other, message)]
        assert [HTML.encode()] == compressions
        assert 3 == len(ears)


async def test_short_messages_and_the_words_of_the_protocol_stay_plain(compressions: list[bytes]) -> None:
    app, ears = crowd()
    async with serving(app) as server, server.peer() as peer:
        await peer.open(sec_websocket_extensions=OFFER)
        await eventually(lambda: ears and ears[0].sink)
        assert ears[0].sink.write(Prepared(b"short"))
        peer.send(frame(PING, b"p" * 125))
        assert [Frame(TEXT, b"short"), Frame(PONG, b"p" * 125)] == [await peer.frame(), await peer.frame()]
        ears[0].sink.close(4409, "closed by the back office")
        assert (4409, "closed by the back office") == (await peer.frame()).close
        peer.send(close_frame(4409))
    assert [] == compressions


async def test_what_the_kernel_does_not_take_at_once_comes_whole_all_the_same() -> None:
    app, ears = crowd()
    message = Prepared(os.urandom(50_000).hex().encode())
    async with serving(app) as server, server.peer() as peer:
        await peer.open(sec_websocket_extensions=OFFER)
        await eventually(lambda: ears and ears[0].sink)
        peer.stop_reading()
        taken = 1
        while ears[0].sink.write(message):
            taken += 1
        assert message.compressed is not None
        assert 0 < ears[0].sink.buffered_bytes() <= len(message.compressed) < len(message)
        peer.read_on()
        assert [message.compressed] * taken == [await read(peer, message) for _ in range(taken)]


async def test_a_compressed_message_comes_in_fragments_with_a_ping_between() -> None:
    app, ears = crowd()
    data = deflate(HTML.encode())
    async with serving(app) as server, server.peer() as peer:
        await peer.open(sec_websocket_extensions=OFFER)
        peer.send(frame(TEXT, data[:20], final=False, reserved=RSV1) + frame(PING, b"?") + frame(CONTINUATION, data[20:]))
        peer.send(frame(TEXT, b"plain"))
        assert Frame(PONG, b"?") == await peer.frame()
        await eventually(lambda: [HTML, "plain"] == ears[0].heard)


@pytest.mark.parametrize(
    ("offer", "data", "code"),
    [
        (OFFER, frame(BINARY, deflate(bytes(10_000_000)), reserved=RSV1), 1009),
        (OFFER, frame(TEXT, b"no compressor made this", reserved=RSV1), 1007),
        (OFFER, frame(TEXT, b"x", final=False, reserved=RSV1) + frame(CONTINUATION, b"y", reserved=RSV1), 1002),
        ("permessage-deflate; server_max_window_bits=9", frame(TEXT, deflate(b"x"), reserved=RSV1), 1002),
    ],
    ids=["bomb", "noise", "marked continuation", "not negotiated"],
)
async def test_what_breaks_the_rules_is_told_why_and_ends(offer: str, data: bytes, code: int) -> None:
    app, ears = crowd()
    async with serving(app) as server, server.peer() as peer:
        await peer.open(sec_websocket_extensions=offer)
        peer.send(data)
        assert code == (await peer.frame()).close[0]
        peer.writer.close()
        await eventually(lambda: ears[0].ends)
    assert (code, []) == (ears[0].ends[0][0], ears[0].heard)


async def test_offers_may_come_in_several_lines_and_unreadable_ones_are_400() -> None:
    async with serving(detaching(Ear())) as server, server.peer() as good, server.peer() as bad:
        await good.open(sec_websocket_extensions="x-one\npermessage-deflate; mux\npermessage-deflate")
        assert ANSWER in good.head
        bad.send(request(sec_websocket_extensions="permessage-deflate; =1"))
        assert 400 == (await bad.answer())[0]


async def test_an_operator_can_turn_it_off() -> None:
    ear = Ear()
    async with serving(detaching(ear), ws_per_message_deflate=False) as server, server.peer() as peer, server.peer() as odd:
        await odd.open(sec_websocket_extensions="; not looked at")
        await peer.open(sec_websocket_extensions=OFFER)
        assert b"Sec-WebSocket-Extensions" not in peer.head
        assert ear.sink.write(Prepared(HTML.encode()))
        assert Frame(TEXT, HTML.encode()) == await peer.frame()
        peer.send(frame(TEXT, deflate(b"x"), reserved=RSV1))
        assert 1002 == (await peer.frame()).close[0]


@pytest.mark.parametrize(("compression", "times"), [("shared", 1), ("off", 0)])
async def test_a_broadcast_is_compressed_once_for_all_pages(
    settings: Settings, compressions: list[bytes], logged: Callable[[], str], compression: str, times: int
) -> None:
    async with (
        run_server(msgspec.structs.replace(settings, compression=compression)) as server,
        ApiClient(server.url, ADMIN_KEY) as api,
        server.socket() as ada,
        server.socket() as bob,
        server.socket(compression=None) as plain,
    ):
        compressions.clear()
        await api.broadcast(HTML)
        assert [HTML] * 3 == [(await page.next())["html"] for page in (ada, bob, plain)]
        assert [times, times, 0] == [len(page.raw.protocol.extensions) for page in (ada, bob, plain)]
        assert times == len(compressions)
        assert "req_1" == (await ada.ask("unknown", {"text": HTML}))["id"]
    assert "Traceback" not in logged()
