"""Pages that sleep: they take nothing and answer nothing, but their system is there. They are waited for, for a time."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

from api_tests.missing import missing
from api_tests.serving.raw import Ear, Frame, RawPeer, close_frame, detaching, frame, serving
from api_tests.waiting import eventually
from app.serving import protocol, sink, stalls
from app.serving.protocol import WsxProtocol
from app.serving.stalls import Tcp, tcp_of
from app.wire.prepared import Prepared

CLOSE, PING, PONG = 8, 9, 10
FAST = {"ws_ping_interval": 0.1, "ws_ping_timeout": 0.2}
NEVER = {"ws_ping_interval": 1_000, "ws_ping_timeout": 1}
MESSAGE = Prepared(b"x" * 100_000)


def of(**told: int) -> Tcp:
    """What the system tells; what is not said is 0."""
    return Tcp(**dict.fromkeys(Tcp._fields, 0) | {"unsent_bytes": 70_000} | told)


@pytest.fixture(autouse=True)
def told() -> None:
    """Elsewhere no page is waited for, as `tcp_of` tells nothing: that is tested by `test_heartbeat`."""
    if not stalls._IS_TOLD:
        missing("only Linux tells enough of its connections")


class Sleeper(NamedTuple):
    """A page that has stopped reading, and the server's side of it."""

    peer: RawPeer
    ear: Ear
    socket: WsxProtocol

    async def heard(self) -> list[Frame]:
        """Wake up, and read all until the socket is closed or the server asks for a sign of life after the last message."""
        self.peer.read_on()
        frames = [await self.peer.frame()]
        while frames[-1].opcode != CLOSE and not (frames[-1].opcode == PING and not self.socket.buffered_bytes()):
            frames.append(await self.peer.frame())
        return frames


@asynccontextmanager
async def sleeping(*, fill: bool = True, **how: float) -> AsyncIterator[Sleeper]:
    """A page that sleeps. `fill`: until the server's transport has to buffer, else only until the page's system has no room."""
    ear = Ear()
    async with serving(detaching(ear), **how) as server, server.peer() as peer:
        await peer.open()
        await eventually(lambda: ear.sink)
        peer.stop_reading()
        page = Sleeper(peer, ear, ear.sink)
        while not (page.socket.blocked if fill else unsent_bytes(page.socket)):
            page.socket.write(MESSAGE)
            await asyncio.sleep(0)
        assert fill == page.socket.blocked
        yield page


def unsent_bytes(one: WsxProtocol) -> int:
    tcp = tcp_of(one._transport.get_extra_info("socket"))
    assert tcp is not None
    return tcp.unsent_bytes


async def beats(page: Sleeper, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Let the heartbeat look at the page so often."""
    looked: list[bool] = []
    check = WsxProtocol.check_pong
    with monkeypatch.context() as patched:
        patched.setattr(WsxProtocol, "check_pong", lambda one: looked.append(True) or check(one))
        await eventually(lambda: len(looked) >= count or page.ear.ends)


@pytest.mark.parametrize("fill", [True, False])
async def test_a_page_that_sleeps_stays_and_wakes_up_with_all_that_it_was_sent(fill: bool, monkeypatch: pytest.MonkeyPatch):
    async with sleeping(fill=fill, **FAST) as page:
        await eventually(lambda: page.socket._stalled_since is not None)
        await beats(page, monkeypatch, 3)
        assert page.ear.ends == []
        frames = await page.heard()
        assert {len(MESSAGE.payloads[0])} == {len(one.payload) for one in frames if one.opcode == 1}
        page.peer.send(frame(PONG))
        await eventually(lambda: page.socket._stalled_since is None)
        assert [] == page.ear.ends


async def test_a_page_that_sleeps_for_long_is_closed_and_reads_why(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sink, "MAX_STALL_S", 0.2)
    async with sleeping(**FAST) as page:
        await eventually(lambda: not page.socket.is_open)
        assert [] == page.ear.ends
        assert (1013, "too slow") == (await page.heard())[-1].close
        page.peer.send(close_frame(1013))
        await eventually(lambda: [(1013, "too slow")] == page.ear.ends)


async def test_a_listener_that_cannot_close_a_page_that_sleeps_has_it_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sink, "MAX_STALL_S", 0.2)
    async with sleeping(**FAST) as page:
        monkeypatch.setattr(page.ear, "stalled", lambda: 1 / 0)
        await eventually(lambda: not page.socket.is_open)
        assert (1011, "") == (await page.heard())[-1].close


async def test_each_sleep_has_its_own_time(monkeypatch: pytest.MonkeyPatch):
    async with sleeping(**FAST) as page:
        await eventually(lambda: page.socket._stalled_since is not None)
        since: list[float | None] = []
        monkeypatch.setattr(page.ear, "writable", lambda: since.append(page.socket._stalled_since))
        page.peer.read_on()
        await eventually(lambda: [None] == since)


@pytest.mark.parametrize("fill", [True, False])
async def test_a_page_that_is_closed_in_its_sleep_reads_why_when_it_wakes_up(fill: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sink, "CLOSE_TIMEOUT_S", 0.1)
    async with sleeping(fill=fill, **NEVER) as page:
        page.socket.close(4409, "closed by the back office")
        await asyncio.sleep(0.5)
        assert [] == page.ear.ends
        assert (4409, "closed by the back office") == (await page.heard())[-1].close
        page.peer.send(close_frame(4409))
        await eventually(lambda: [(4409, "closed by the back office")] == page.ear.ends)


async def test_a_page_that_wakes_up_and_does_not_answer_our_close_is_cut(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sink, "CLOSE_TIMEOUT_S", 0.2)
    spared: list[bool] = []
    spare = WsxProtocol._spare
    monkeypatch.setattr(WsxProtocol, "_spare", lambda one: spared.append(spare(one)) or spared[-1])
    async with sleeping(**NEVER) as page:
        page.socket.close(1013, "too slow")
        assert 1013 == (await page.heard())[-1].close[0]
        await eventually(lambda: [(1013, "too slow")] == page.ear.ends)
    assert [True, False] == spared[-2:]  # once more the whole time, and no more


@pytest.mark.parametrize(
    ("code", "reason", "goodbye_s"),
    [pytest.param(1013, "too slow", 0.25, id="sleeps for long"), pytest.param(1008, "not a message", 3600, id="has abused us")],
)
async def test_a_page_that_is_closed_is_not_waited_for_when(
    code: int, reason: str, goodbye_s: float, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sink, "CLOSE_TIMEOUT_S", 0.1)
    monkeypatch.setattr(sink, "GOODBYE_S", goodbye_s)
    async with sleeping(**NEVER) as page:
        page.socket.close(code, reason)
        await eventually(lambda: [(code, reason)] == page.ear.ends)


async def test_one_that_has_left_before_its_turn_to_be_looked_at_is_not_looked_at(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sink, "CLOSE_TIMEOUT_S", 0.1)
    turns: list[Callable[[], None]] = []
    monkeypatch.setattr(WsxProtocol, "in_turn", lambda _one, call: turns.append(call))
    async with sleeping(**NEVER) as page:
        page.socket.close(1013, "too slow")
        await eventually(lambda: 1 == len(turns))
        page.socket.abort()
        await eventually(lambda: [(1013, "too slow")] == page.ear.ends)
        turns[0]()
        assert page.socket._close_timer is None


async def test_a_server_that_stops_waits_for_no_sleeper(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(protocol, "SHUTDOWN_TIMEOUT_S", 0.1)
    async with sleeping(**NEVER) as page:
        page.socket.close(1013, "too slow")
        page.socket.shutdown()
        await eventually(lambda: [(1013, "too slow")] == page.ear.ends)


async def test_what_a_sleeper_says_while_the_server_stops_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(protocol, "SHUTDOWN_TIMEOUT_S", 0.5)
    monkeypatch.setattr(sink, "CLOSE_TIMEOUT_S", 3600)
    async with sleeping(fill=False, **NEVER) as page:
        page.socket.shutdown()
        page.peer.send(b"\xff\xff\xff\xff")
        await eventually(lambda: [(1012, "restarting")] == page.ear.ends)


async def test_a_peer_whose_system_is_silent_too_is_cut(monkeypatch: pytest.MonkeyPatch):
    """No cable can be pulled here: what the system says of one that was is told in its place."""
    monkeypatch.setattr(stalls, "tcp_of", lambda _socket: of(probes=2, sent_ms=53_000, heard_ms=40_000, unsent_bytes=73_980))
    async with sleeping(**FAST) as page:
        await eventually(lambda: [(1006, "no sign of life")] == page.ear.ends)


@pytest.mark.parametrize(
    ("is_there", "tcp"),
    [
        pytest.param(True, of(sent_ms=54_452, heard_ms=26_876), id="no room, each question was answered"),
        pytest.param(
            True, of(probes=1, sent_ms=856, heard_ms=644), id="no room, the answer to the last question may be on its way"
        ),
        pytest.param(False, of(probes=2, sent_ms=57_244, heard_ms=43_744), id="no room, then gone"),
        pytest.param(
            True,
            of(retries=9, retry_us=52_000_000, unanswered=2, sent_ms=25_904, heard_ms=25_904),
            id="less room than it said, each time sent again and answered",
        ),
        pytest.param(
            True,
            of(retries=9, retry_us=52_200_000, unanswered=2, sent_ms=4, heard_ms=26_100),
            id="less room than it said, just sent again",
        ),
        pytest.param(
            True, of(retries=1, retry_us=400_000, unanswered=1, sent_ms=10, heard_ms=9_000), id="once lost, just sent again"
        ),
        pytest.param(False, of(unanswered=60, sent_ms=8_248, heard_ms=21_512), id="gone while it read"),
        pytest.param(
            False, of(retries=7, retry_us=26_112_000, unanswered=1, sent_ms=700, heard_ms=26_500), id="gone, just sent again"
        ),
        pytest.param(False, of(retries=15, retry_us=3_264_000, unanswered=1, sent_ms=10, heard_ms=36_720), id="gone, no way there"),
    ],
)
def test_a_system_is_there_that_has_answered_what_it_was_last_asked(is_there: bool, tcp: Tcp):
    """As seen on Linux 6 between two machines, of which one stopped to read, or was taken off the network."""
    assert is_there == tcp.is_answered


def test_of_some_sockets_the_system_tells_nothing():
    one, other = socket.socketpair()
    with one, other:
        assert tcp_of(one) is None

    class OldLinux:
        def getsockopt(self, *_: int) -> bytes:
            return bytes(104)

    assert tcp_of(OldLinux()) is None


def test_of_a_connection_that_is_well_the_system_tells_that_all_is_answered():
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as near:
        near.sendall(b"hello")
        tcp = tcp_of(near)
    assert tcp is not None
    assert (0, 0, 0) == (tcp.probes, tcp.unanswered, tcp.unsent_bytes)
    assert max(tcp.sent_ms, tcp.heard_ms) < 60_000
