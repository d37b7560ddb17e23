"""An ASGI application that sends back what it hears, in both ways in which the product holds a socket.

`/attached` talks through `receive` and `send`. Any other path detaches its socket, as the hub does, and writes ready frames.
"""

from typing import Any

from app.hub.port import Sink
from app.serving.session import EXTENSION
from app.wire.prepared import Prepared
from app.wire.rfc6455 import BINARY, encode_frame

ATTACHED, DETACHED = "/attached", "/detached"


class Echo:
    """A `Listener` that answers with the same message. It reads no further while its answer waits in the transport."""

    sink: Sink

    def received(self, message: str | bytes) -> None:
        if not self.sink.write(ready(message)):
            self.sink.pause()

    def writable(self) -> None:
        self.sink.resume()

    def stalled(self) -> None:
        self.sink.close(1013, "too slow")

    def broken(self, code: int) -> None:
        """The socket says why by itself."""

    def closed(self, code: int, reason: str) -> None:
        """Nothing is kept that would have to go."""


def ready(message: str | bytes) -> Prepared:
    """The message as it goes to the kernel. The product prepares only texts: other bytes are put in their place."""
    if isinstance(message, str):
        return Prepared(message.encode())
    prepared = Prepared(b"")
    prepared.data = encode_frame(BINARY, message)
    return prepared


async def echo(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    if scope["path"] == ATTACHED:
        while (event := await receive())["type"] == "websocket.receive":
            await send({**event, "type": "websocket.send"})
    else:
        listener = Echo()
        listener.sink = scope["extensions"][EXTENSION].detach(listener)


async def _lifespan(receive: Any, send: Any) -> None:
    while (await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})
