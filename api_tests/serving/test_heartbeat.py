"""Signs of life: who gives none is cut, and nobody else."""

import asyncio
import os
import socket
import time
from contextlib import suppress

import pytest

from api_tests.serving.raw import Ear, Frame, detaching, frame, serving
from api_tests.waiting import eventually
from app.kernel.stretches import Stretches
from app.serving import heartbeat, stalls
from app.serving.heartbeat import SLOTS, Heartbeat
from app.serving.protocol import WsxProtocol
from app.serving.stretches import MAX_HOLD_S
from app.wire.prepared import Prepared

TEXT, PING, PONG = 1, 9, 10
FAST = {"ws_ping_interval": 0.2, "ws_ping_timeout": 0.1}
PATIENT = {"ws_ping_interval": 0.2, "ws_ping_timeout": 0.5}
SILENT = {"ws_ping_interval": 0.2, "ws_ping_timeout": 0.3}


class Socket:
    """Counts what the heartbeat asks of it."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.is_open = is_open
        self.pings = self.checks = 0

    def ping(self) -> bool:
        self.pings += 1
        return self.is_open

    def check_pong(self) -> None:
        self.checks += 1


async def test_sockets_that_came_together_are_asked_once_per_interval_a_slot_at_a_time():
    beat = Heartbeat(0.2, 0.05, Stretches(MAX_HOLD_S))
    sockets = [Socket() for _ in range(3 * SLOTS)]
    for one in sockets:
        beat.add(one)
    assert {3} == {len(slot) for slot in beat._slots}
    await eventually(lambda: all(socket.checks for socket in sockets))
    pings = [socket.pings for socket in sockets]
    assert max(pings) - min(pings) <= 1 + 1  # one interval apart, and one for a busy machine


async def test_where_they_are_not_spread_none_is_asked_before_an_interval_is_over():
    beat = Heartbeat(0.2, 0.05, Stretches(MAX_HOLD_S), spread=False)
    sockets = [Socket() for _ in range(5)]
    began = time.monotonic()
    slots = [beat.add(one) for one in sockets]
    await eventually(lambda: all(socket.checks for socket in sockets))
    assert time.monotonic() - began >= 0.2
    for one, slot in zip(sockets, slots, strict=True):
        beat.discard(one, slot)


class Clock:
    """A clock that is set by hand; the loop turns on meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1_000.0
        monkeypatch.setattr(heartbeat, "monotonic", lambda: self.now_s)

    async def pass_by(self, beat: Heartbeat, seconds: float) -> None:
        """So long a turn, and the tick behind it."""
        self.now_s += seconds
        beat._tick()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_a_long_turn_of_the_loop_delays_nobody_further(monkeypatch: pytest.MonkeyPatch):
    clock, beat, one = Clock(monkeypatch), Heartbeat(3_600, 1, Stretches(MAX_HOLD_S), spread=False), Socket()
    slot = beat.add(one)
    await clock.pass_by(beat, 1_800)
    assert 0 == one.pings
    await clock.pass_by(beat, 1_801)
    assert 1 == one.pings
    await clock.pass_by(beat, 10 * 3_600)
    assert 2 == one.pings, "once, however late"
    beat.discard(one, slot)


async def test_who_comes_behind_a_long_turn_has_all_its_time(monkeypatch: pytest.MonkeyPatch):
    clock, beat = Clock(monkeypatch), Heartbeat(3_600, 1, Stretches(MAX_HOLD_S), spread=False)
    early, late = Socket(), Socket()
    slots = {early: beat.add(early)}
    clock.now_s += 3 * 3_600
    slots[late] = beat.add(late)
    await clock.pass_by(beat, 3_500)
    assert (1, 0) == (early.pings, late.pings)
    await clock.pass_by(beat, 101)
    assert (2, 1) == (early.pings, late.pings)
    for one, slot in slots.items():
        beat.discard(one, slot)


async def test_who_left_in_the_same_turn_is_not_asked(monkeypatch: pytest.MonkeyPatch):
    clock, beat = Clock(monkeypatch), Heartbeat(3_600, 1, Stretches(MAX_HOLD_S), spread=False)
    leaving, staying = Socket(), Socket()
    left, slot = beat.add(leaving), beat.add(staying)
    clock.now_s += 3_601
    beat._tick()
    beat.discard(leaving, left)
    beat.discard(leaving, left)
    await eventually(lambda: staying.pings)
    assert 0 == leaving.pings
    beat.discard(staying, slot)
    assert beat._timer is None


async def test_one_timer_for_all_and_none_for_nobody():
    beat = Heartbeat(10, 1, Stretches(MAX_HOLD_S))
    one, other = Socket(), Socket()
    slot = beat.add(one)
    timer = beat._timer
    other_slot = beat.add(other)
    assert timer is beat._timer
    beat.discard(one, slot)
    assert beat._timer is not None
    beat.discard(other, other_slot)
    assert beat._timer is None
    assert timer.cancelled()


async def test_a_socket_that_cannot_be_asked_is_not_judged():
    beat = Heartbeat(0.05, 0.01, Stretches(MAX_HOLD_S))
    leaving = Socket(is_open=False)
    slot = beat.add(leaving)
    await eventually(lambda: leaving.pings >= 2)
    beat.discard(leaving, slot)
    assert 0 == leaving.checks


async def test_one_that_fails_keeps_no_other_from_being_looked_after(caplog: pytest.LogCaptureFixture):
    class Broken(Socket):
        def ping(self) -> bool:
            return super().ping() and bool(1 / 0)

        def check_pong(self) -> None:
            super().check_pong()
            raise ValueError("broken check")

    beat = Heartbeat(0.05, 0.01, Stretches(MAX_HOLD_S))
    broken, unchecked, well = Broken(), Broken(), Socket()
    unchecked.ping = lambda: True
    slots = [(one, beat.add(one)) for one in (broken, unchecked, well)]
    await eventually(lambda: min(broken.pings, unchecked.checks, well.checks) >= 2)
    for one, slot in slots:
        beat.discard(one, slot)
    assert "division by zero" in caplog.text
    assert "broken check" in caplog.text


async def test_who_answers_pings_or_says_anything_stays():
    ears: list[Ear] = []

    async def app(scope, receive, send) -> None:
        ears.append(Ear())
        await detaching(ears[-1])(scope, receive, send)

    async with serving(app, **PATIENT) as server, server.peer() as polite, server.peer() as talkative:
        await polite.open()
        await talkative.open()
        for _ in range(6):
            assert Frame(PING, b"") == await polite.frame()
            polite.send(frame(PONG))
            await talkative.frame()
            talkative.send(frame(TEXT, b"I am here"))
        assert [[], []] == [ear.ends for ear in ears]


async def test_who_gives_no_sign_is_cut():
    ear = Ear()
    async with serving(detaching(ear), **FAST) as server, server.peer() as peer:
        await peer.open()
        await eventually(lambda: ear.ends == [(1006, "no sign of life")])


async def test_where_the_system_tells_nothing_a_reader_that_stalls_is_cut_and_one_that_reads_slowly_is_not(
    monkeypatch: pytest.MonkeyPatch,
):
    """The kernel's buffer is made small: it says that it takes more only when a third of it is free."""
    monkeypatch.setattr(stalls, "_IS_TOLD", False)
    ping, filled = WsxProtocol.ping, asyncio.Event()
    monkeypatch.setattr(
        WsxProtocol, "ping", lambda one: filled.is_set() and ping(one)
    )  # else who fills up just then would be blamed
    ears: list[Ear] = []

    async def app(scope, receive, send) -> None:
        ears.append(Ear())
        await detaching(ears[-1])(scope, receive, send)

    async with serving(app, **SILENT) as server, server.peer() as stalled, server.peer() as slow:
        await stalled.open()
        await slow.open()
        for ear, peer in zip(ears, (stalled, slow), strict=True):
            peer.stop_reading()
            ear.sink._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
            for _ in range(200):
                ear.sink.write(Prepared(b"x" * 100_000))
        filled.set()
        with socket.socket(fileno=os.dup(slow.writer.get_extra_info("socket").fileno())) as sip:
            for turn in range(90):
                if turn >= 30 and ears[0].ends:
                    break
                with suppress(BlockingIOError):
                    sip.recv(400_000)
                await asyncio.sleep(0.03)
        assert ears[1].sink.buffered_bytes() > 1_000_000
        assert ([(1006, "no sign of life")], []) == (ears[0].ends, ears[1].ends)


async def test_who_is_kept_from_talking_is_not_blamed_for_silence():
    ear = Ear()
    async with serving(detaching(ear), **FAST) as server, server.peer() as peer:
        await peer.open()
        await eventually(lambda: ear.sink)
        ear.sink.pause()
        for _ in range(3):
            await peer.frame()
        assert [] == ear.ends


async def test_a_closing_socket_is_left_to_its_own_timer():
    ear = Ear()
    async with serving(detaching(ear), **FAST) as server, server.peer() as peer:
        await peer.open()
        sink = server.sockets[0]
        assert sink.ping()
        sink.close(1000, "")
        assert not sink.ping()
        sink.check_pong()
        assert [] == ear.ends
