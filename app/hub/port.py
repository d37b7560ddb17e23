"""Where the hub meets sockets: two small ports, so that neither side knows the other's classes."""

from typing import Protocol

from app.wire.prepared import Prepared


class Sink(Protocol):
    """A socket as an outbox sees it. No call waits."""

    @property
    def is_open(self) -> bool:
        """Whether what is written goes to the peer. Once it has said goodbye, it is thrown away."""

    @property
    def is_gone(self) -> bool:
        """Whether the connection has ended, though its listener may not have been told yet."""

    def write(self, message: Prepared) -> bool:
        """Send. True: more may follow at once. False: taken, but hold the next ones until `Listener.writable()`."""

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake (RFC 6455, 7.1.2). `reason`: at most 123 bytes. `Listener.closed` follows."""

    def abort(self) -> None:
        """Drop the connection now, with what the kernel still holds for it. `Listener.closed` follows."""

    def pause(self) -> None:
        """Stop reading messages: the peer sends faster than they are handled."""

    def resume(self) -> None:
        """Read messages again."""

    def buffered_bytes(self) -> int:
        """Bytes that the socket took and the kernel has not."""


class Listener(Protocol):
    """What a socket tells. Plain calls on the event loop; an exception in one closes that socket only, with 1011."""

    def received(self, message: str | bytes) -> None:
        """A whole message came."""

    def writable(self) -> None:
        """Nothing is buffered any more after a `write` that answered False."""

    def stalled(self) -> None:
        """The page has taken nothing for as long as a page may. The listener is to close the socket."""

    def broken(self, code: int) -> None:
        """The peer broke the protocol of frames, and the socket is being closed with this code. `closed` follows."""

    def closed(self, code: int, reason: str) -> None:
        """The socket is gone. Called exactly once."""
