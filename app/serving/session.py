"""The ASGI side of one socket: `receive` and `send` for the application's callable, and the extension that ends them early.

The session is the socket's first listener. When the application detaches (`scope["extensions"]["wsx.socket"]`), the hub's
conversation takes its place, the callable returns, and nothing of the session is left.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.utils import ClientDisconnected

from app.hub.close import Close
from app.hub.port import Listener, Sink
from app.serving.handshake import Opening

if TYPE_CHECKING:
    from app.serving.protocol import WsxProtocol

MAX_INBOX = 8
"""Messages that wait for `receive()`; from then on the socket is not read."""
EXTENSION = "wsx.socket"

_log = logging.getLogger("wsx.serving")


class AsgiSession:
    """Lives from the request head to the end of the application's callable, or until it is detached."""

    def __init__(self, socket: "WsxProtocol", opening: Opening) -> None:
        self._socket = socket
        self._opening = opening
        self._inbox: deque[dict[str, Any]] = deque([{"type": "websocket.connect"}])
        self._arrived = asyncio.Event()
        self._drained = asyncio.Event()
        self._denial: tuple[int, list[tuple[bytes, bytes]], list[bytes]] | None = None
        self._is_open = False
        self._heir: Listener | None = None

    async def run(self, app: Callable[..., Any], scope: dict[str, Any]) -> None:
        """Run the application's callable for this socket."""
        scope["extensions"] = {"websocket.http.response": {}, EXTENSION: self}
        try:
            await app(scope, self.receive, self.send)
        except ClientDisconnected:
            return
        except Exception:
            _log.exception("the application failed on a socket")
            self._socket.refuse(500, [], b"")
            self._socket.close(1011, "")
            return
        if self._heir is None:
            self._socket.refuse(500, [], b"")
            self._socket.close(1000, "")

    # -- the extension -----------------------------------------------------------------------------------------------
    def detach(self, listener: Listener) -> Sink:
        """Hand the accepted socket to a listener; once. What came meanwhile, the end included, is told in the next turn."""
        if not self._is_open or self._heir is not None:
            message = "a socket is detached once, after it was accepted"
            raise RuntimeError(message)
        self._heir = listener
        if self._inbox:
            self._socket.pause()
            asyncio.get_running_loop().call_soon(self._replay, listener)
        else:
            self._socket.hand_over(listener)
        return self._socket

    def _replay(self, listener: Listener) -> None:
        """Tell what waited. Until now the session has listened on, so that an end that came meanwhile is told last."""
        self._socket.hand_over(listener)
        self._socket.resume()
        was_open = self._socket.is_open
        for message in self._inbox:
            if message["type"] == "websocket.disconnect":
                self._socket.tell(listener.closed, message["code"], message["reason"])
            elif self._socket.is_open is was_open:
                self._socket.tell(listener.received, message["text"] if "text" in message else message["bytes"])

    # -- Listener ----------------------------------------------------------------------------------------------------
    def received(self, message: str | bytes) -> None:
        """Queue a message for `receive()`."""
        self._put({"type": "websocket.receive", "text" if isinstance(message, str) else "bytes": message})
        if len(self._inbox) >= MAX_INBOX:
            self._socket.pause()

    def writable(self) -> None:
        """Let `send()` go on, or the listener that is about to take over."""
        self._drained.set()
        if self._heir is not None:
            self._heir.writable()

    def stalled(self) -> None:
        """Close: the application is told as of any other end."""
        self._socket.close(*Close.SLOW.value)

    def broken(self, _code: int) -> None:
        """The application is told as of any other end."""

    def closed(self, code: int, reason: str) -> None:
        """End `receive()` and `send()`."""
        self._put({"type": "websocket.disconnect", "code": code, "reason": reason})
        self._drained.set()

    def _put(self, message: dict[str, Any]) -> None:
        self._inbox.append(message)
        self._arrived.set()

    # -- ASGI --------------------------------------------------------------------------------------------------------
    async def receive(self) -> dict[str, Any]:
        """The next event. After the disconnect, the disconnect again."""
        while not self._inbox:
            self._arrived.clear()
            await self._arrived.wait()
        message = self._inbox[0]
        if message["type"] != "websocket.disconnect":
            self._inbox.popleft()
            if len(self._inbox) == MAX_INBOX - 1:
                self._socket.resume()
        return message

    async def send(self, message: dict[str, Any]) -> None:
        """Carry out one event of the application. Raises ClientDisconnected when the socket is gone."""
        kind = message["type"]
        if not self._is_open:
            self._answer(kind, message)
            return
        while self._socket.blocked and self._socket.is_open:
            self._drained.clear()
            await self._drained.wait()
        if not self._socket.is_open:
            raise ClientDisconnected
        if kind == "websocket.send":
            text = message.get("text")
            self._socket.send_message(text if text is not None else message["bytes"])
        elif kind == "websocket.close":
            self._socket.close(message.get("code", 1000), message.get("reason") or "")
        else:
            raise _unexpected(kind, "websocket.send or websocket.close")

    def _answer(self, kind: str, message: dict[str, Any]) -> None:
        if not self._socket.is_connecting:
            raise ClientDisconnected
        if kind == "websocket.accept":
            self._is_open = True
            self._socket.open(self._opening, list(message.get("headers") or ()), message.get("subprotocol"))
        elif kind == "websocket.close":
            self._socket.refuse(403, [], b"")
        elif kind == "websocket.http.response.start":
            self._denial = message["status"], list(message.get("headers") or ()), []
        elif kind == "websocket.http.response.body" and self._denial is not None:
            status, headers, body = self._denial
            body.append(message.get("body", b""))
            if not message.get("more_body"):
                self._socket.refuse(status, headers, b"".join(body))
        else:
            raise _unexpected(kind, "websocket.accept, websocket.close or websocket.http.response.start")


def _unexpected(kind: str, wanted: str) -> RuntimeError:
    return RuntimeError(f"the application sent {kind!r} where {wanted} was due")
