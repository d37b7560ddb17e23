"""A server that says what the test wants, and remembers what the page said. Real sockets, one port, one page."""

import contextlib
import json
from collections.abc import Mapping
from http import HTTPStatus
from itertools import count
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from api_tests.waiting import eventually
from app.web.assets import CLIENT

V1 = Subprotocol("wsx.v1")
NUMBERS = count()
ACTIVE = {"type": "active"}


class Peer:
    """The server's end of one page's socket."""

    def __init__(self, socket: ServerConnection) -> None:
        self._socket = socket
        self._taken = 0
        self.path = socket.request.path if socket.request else ""
        self.is_silent = False
        self.said: list[dict[str, Any]] = []

    @property
    def requests(self) -> list[dict[str, Any]]:
        return [message for message in self.said if "type" not in message]

    @property
    def actives(self) -> int:
        return self.said.count(ACTIVE)

    @property
    def is_closed(self) -> bool:
        return self._socket.close_code is not None

    async def asked(self) -> dict[str, Any]:
        """The next request of the page that no call has returned yet."""
        await eventually(lambda: len(self.requests) > self._taken)
        self._taken += 1
        return self.requests[self._taken - 1]

    async def say(self, **message: Any) -> None:
        await self.say_text(json.dumps(message))

    async def say_text(self, text: str | bytes) -> None:
        await self._socket.send(text)

    async def update(self, target: str, html: str = "", swap: str = "innerHTML", **more: Any) -> None:
        await self.say(id=f"broadcast_{next(NUMBERS)}", target=target, html=html, swap=swap, **more)

    async def answer(self, request: dict[str, Any], html: str = "", **more: Any) -> None:
        await self.say(**{"id": request["id"], "target": request["target"], "html": html, "swap": request["swap"]} | more)

    async def close(self, code: int = 1012, reason: str = "") -> None:
        await self._socket.close(code, reason)

    def cut(self) -> None:
        """Gone without a goodbye: the page sees 1006."""
        self._socket.transport.abort()

    async def listen(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in self._socket:
                self.said.append(json.loads(text))
                if self.said[-1] == ACTIVE and not self.is_silent:
                    await self.say(id="", target="", html="", swap="none")


class Site:
    """Serves `/`, `/wsx.js`, whatever is in `files`, and sockets on `/ws`."""

    def __init__(self) -> None:
        self.html = ""
        self.headers: Mapping[str, str] = {}
        self.files: dict[str, str] = {}
        self.hello: dict[str, Any] = {"connection": "c1", "session": "s1", "cursor": "", "resumed": False}
        self.refuse_with: int | None = None
        self.close_with: int | None = None
        self.handshakes = 0
        self.peers: list[Peer] = []
        self.port = 0
        self._server: Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def start(self) -> None:
        self._server = await serve(
            self._talk,
            "127.0.0.1",
            self.port,
            process_request=self._respond,
            subprotocols=[V1],
            compression=None,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Die: nobody listens, and what was open is cut."""
        if self._server is None:
            return
        server, self._server = self._server, None
        for peer in self.peers:
            peer.cut()
        server.close()
        await server.wait_closed()

    async def peer(self, number: int = 1) -> Peer:
        """The socket of this number, counted from the first that the site ever had."""
        await eventually(lambda: len(self.peers) >= number)
        return self.peers[number - 1]

    def _respond(self, _connection: ServerConnection, request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        if path == "/ws":
            self.handshakes += 1
            return None if self.refuse_with is None else _response("no", status=self.refuse_with)
        if path == "/wsx.js":
            return _response(CLIENT.read_text(), "text/javascript")
        if path in self.files:
            return _response(self.files[path], "text/javascript")
        return _response(self.html, "text/html", headers=self.headers)

    async def _talk(self, socket: ServerConnection) -> None:
        peer = Peer(socket)
        if self.close_with is not None:
            await peer.close(self.close_with)
            return
        with contextlib.suppress(ConnectionClosed):
            await peer.say(type="hello", **self.hello)
        self.peers.append(peer)
        await peer.listen()


def _response(
    text: str, media_type: str = "text/plain", *, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    body = text.encode()
    own = {"Content-Type": f"{media_type}; charset=utf-8", "Content-Length": str(len(body)), "Connection": "close"}
    return Response(status, HTTPStatus(status).phrase, Headers(own | dict(headers or {})), body)
