"""Plain HTTP is uvicorn's, with a deadline: by itself it waits for ever for who begins a request and does not end it."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.serving.heartbeat import Heartbeat
from app.serving.shared import one_per_server
from app.serving.stretches import stretches_of

HEAD_TIMEOUT_S = 10.0
"""Seconds that a peer may take for the head of a request, from its first byte on. No browser takes so long: it is somebody who
wants to use up our sockets."""
BODY_TIMEOUT_S = 60.0
"""Seconds for its body, from its head on: 4 KiB a second for the largest that is taken by default."""


class HttpProtocol(HttpToolsProtocol):
    """Closes a connection whose request is not whole in time. Between two requests uvicorn's own keep-alive timeout holds."""

    _awaiting: Heartbeat | None = None
    """With whom it waits: for a head, or for a body. None: nothing is owed to us."""
    _slot: set[Any]

    def data_received(self, data: bytes) -> None:
        """Bytes came. Whoever keeps us waiting has the time that began with the first of them, however many follow."""
        super().data_received(data)
        self._wait_with(self._owed())

    def on_response_complete(self) -> None:
        """An answer is written."""
        self._wait_with(None)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._wait_with(None)
        super().connection_lost(exc)

    # -- Beating: looked at once, when the time is over --------------------------------------------------------------
    def ping(self) -> bool:
        """The time is over."""
        stretches_of(self.config).add(self.transport.close)
        return False

    def check_pong(self) -> None:
        """Nobody was asked."""

    def _owed(self) -> Heartbeat | None:
        if self.transport.get_protocol() is not self:  # it has become a WebSocket
            return None
        if self.cycle is None or self.cycle.response_complete:
            return _patience_for_heads(self.config)
        return _patience_for_bodies(self.config) if self.cycle.more_body else None

    def _wait_with(self, patience: Heartbeat | None) -> None:
        if patience is self._awaiting:
            return
        if self._awaiting is not None:
            self._awaiting.discard(self, self._slot)
        if patience is not None:
            self._slot = patience.add(self)
        self._awaiting = patience


@one_per_server
def _patience_for_heads(_config: Any) -> Heartbeat:
    return Heartbeat(HEAD_TIMEOUT_S, 0, spread=False)


@one_per_server
def _patience_for_bodies(_config: Any) -> Heartbeat:
    return Heartbeat(BODY_TIMEOUT_S, 0, spread=False)
