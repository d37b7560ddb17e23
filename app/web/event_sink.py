"""A stream of events as an outbox sees it: an HTTP answer that does not end, and that nobody answers."""

import asyncio
from collections.abc import Callable, Sequence
from secrets import randbelow
from typing import Final

import msgspec

from app.hub.port import Listener
from app.web.answer import Header
from app.web.asgi_sink import AsgiSink
from app.web.front import Receive, Send
from app.wire.events import HEARTBEAT, event

MAX_STALL_S = 60.0
"""Seconds for which a page may take nothing."""
FIRST_RETRY_MS: Final = 1_000
RETRY_SPREAD_MS: Final = 2_000
"""An `EventSource` that lost its stream comes back after so long: not all in the same moment."""
REFUSED_SPREAD_MS: Final = 10_000
"""The same for those who are not taken for now: a thousand of them come back at the pace at which pages of a drained node do."""
FIRST_OF_STAY_AWAY: Final = 4400
"""Codes from here on say that the page is not to come back by itself."""

_ABNORMAL: Final = 1006


class Ending(msgspec.Struct, frozen=True):
    """Why a stream ends whose page is not to come back by itself. An `EventSource` does, unless its page closes it."""

    code: int
    reason: str


def retry_within(spread_ms: int) -> bytes:
    """When to come back: each at another moment of so many milliseconds."""
    return b"retry: %d\n\n" % (FIRST_RETRY_MS + randbelow(spread_ms))


class EventSink(AsgiSink):
    """An answer that was begun. What is written to it are events."""

    def __init__(
        self, receive: Receive, send: Send, headers: Sequence[Header], *, heartbeat_s: float, cut: Callable[[], None] | None
    ) -> None:
        """`cut`: ends the connection at once, where the server can."""
        super().__init__(receive, send)
        self._headers = headers
        self._heartbeat_s = heartbeat_s
        self._cut = cut

    def abort(self) -> None:
        """Wait no longer."""
        if self._cut is not None and not self._dropped.done():
            self._cut()
        super().abort()

    async def _read(self, _listener: Listener) -> tuple[int, str]:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._peer_is_there = False
        return self._closing or (_ABNORMAL, "")

    async def _write(self, listener: Listener) -> None:
        await self._send({"type": "http.response.start", "status": 200, "headers": self._headers})
        try:
            await self._say(retry_within(RETRY_SPREAD_MS))
            await super()._write(listener)
        except TimeoutError:
            listener.stalled()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._heartbeat_s):
                await self._wake.wait()
        except TimeoutError:
            await self._say(HEARTBEAT)

    async def _say(self, payload: bytes) -> None:
        """Raises TimeoutError where the page takes nothing for long."""
        async with asyncio.timeout(MAX_STALL_S):
            await self._send({"type": "http.response.body", "body": payload, "more_body": True})

    async def _say_goodbye(self, code: int, reason: str) -> None:
        body = event(msgspec.json.encode(Ending(code, reason)), "close") if code >= FIRST_OF_STAY_AWAY else b""
        await self._send({"type": "http.response.body", "body": body})
