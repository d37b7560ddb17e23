"""Who is waited for, and how long."""

import asyncio

from api_tests.serving.raw import Ear, Frame, close_frame, detaching, frame, serving
from api_tests.waiting import eventually

TEXT, PING, PONG = 1, 9, 10


async def test_the_answer_to_our_close_is_read_also_where_the_listener_wanted_no_more() -> None:
    ear = Ear()
    ear.on_message = lambda _message: ear.sink.pause()
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        await eventually(lambda: ear.sink)
        peer.send(frame(TEXT, b"1") + frame(TEXT, b"2"))
        await eventually(lambda: ear.heard)
        ear.sink.close(4401, "expired")
        assert (4401, "expired") == (await peer.frame()).close
        peer.send(close_frame(4401))
        assert b"" == await peer.ended()
        await eventually(lambda: ear.ends)
    assert (["1"], [(4401, "expired")]) == (ear.heard, ear.ends)


async def test_a_peer_that_may_talk_again_has_time_to_do_so() -> None:
    ear = Ear()
    async with serving(detaching(ear)) as server, server.peer() as peer:
        await peer.open()
        await eventually(lambda: ear.sink)
        ear.sink.pause()
        assert ear.sink.ping()
        ear.sink.resume()
        ear.sink.check_pong()
        peer.send(frame(TEXT, b"I am here"))
        await eventually(lambda: ["I am here"] == ear.heard)


async def test_a_timeout_longer_than_the_interval_is_kept() -> None:
    ear = Ear()
    async with serving(detaching(ear), ws_ping_interval=0.2, ws_ping_timeout=0.3) as server, server.peer() as peer:
        await peer.open()
        for _ in range(6):
            assert Frame(PING, b"") == await peer.frame()
            await asyncio.sleep(0.13)
            peer.send(frame(PONG))
        assert [] == ear.ends


async def test_a_timeout_longer_than_the_interval_still_ends() -> None:
    ear = Ear()
    async with serving(detaching(ear), ws_ping_interval=0.1, ws_ping_timeout=0.25) as server, server.peer() as peer:
        await peer.open()
        await eventually(lambda: [(1006, "no sign of life")] == ear.ends)
