"""Frames that break the protocol or its limits: each is closed with its own code, at once, and costs twice the limit at most."""

from pathlib import Path

import pytest

from api_tests.abuse.nasty import LIMIT, NASTY, Nasty
from api_tests.abuse.test_floods import complaints
from api_tests.abuse.victim import Victim, victim
from api_tests.cli.command import Operator
from api_tests.serving.raw import RawPeer
from app.kernel.clock import monotonic
from app.wire.rfc6455 import CLOSE

CLOSED_WITHIN_S = 1.0
MAX_GROWN_BYTES = 2 * LIMIT
TRIES = 3
"""The best of so many: the machine may have been busy, or the process needed another piece of memory, for good, just then."""
MUCH_BYTES = 40_000_000
"""A limit, in vain, that is still below what becomes of the bomb."""


async def code_of_close(peer: RawPeer) -> int:
    while (frame := await peer.frame()).opcode != CLOSE:
        pass
    return frame.close[0]


async def sent_to(abused: Victim, nasty: Nasty) -> tuple[int, float, int]:
    """The code of the close, after how many seconds, and by how many bytes the server had grown at most."""
    async with RawPeer(abused.port) as peer:
        await peer.open("/ws", sec_websocket_extensions="permessage-deflate", sec_websocket_protocol="wsx.v1")
        before, began = abused.forget_peak(), monotonic()
        peer.send(nasty.data)
        code = await code_of_close(peer)
        return code, monotonic() - began, abused.peak_bytes() - before


@pytest.mark.parametrize("nasty", NASTY, ids=[nasty.name for nasty in NASTY])
async def test_it_is_closed_with_its_code_within_a_second_and_costs_twice_the_limit_at_most(
    server_under_abuse: Victim, nasty: Nasty
) -> None:
    told = [await sent_to(server_under_abuse, nasty) for _ in range(TRIES)]
    assert {nasty.code} == {code for code, *_ in told}
    assert min(took_s for _, took_s, _ in told) < CLOSED_WITHIN_S
    assert min(grown for *_, grown in told) <= MAX_GROWN_BYTES
    assert [] == complaints(server_under_abuse.log)


async def test_a_server_that_keeps_what_becomes_of_a_bomb_is_found_out(tmp_path: Path) -> None:
    bomb = next(nasty for nasty in NASTY if nasty.name == "a bomb")
    async with victim(Operator(tmp_path), max_message_bytes=str(MUCH_BYTES)) as broken:
        assert min([(await sent_to(broken, bomb))[2] for _ in range(TRIES)]) > MAX_GROWN_BYTES
