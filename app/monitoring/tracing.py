"""Spans of requests, publications and transactions: off, unless the operator asks for them."""

import importlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from litestar.plugins import InitPlugin

from app.hub.hub import Hub
from app.hub.publication import Publication, Receipt
from app.kernel.span import NO_SPAN, Span
from app.settings import Settings, SettingsError

_NEEDS_PACKAGES = (
    "WSX_TRACING: otlp needs more packages; in the folder of the program: "
    ".venv/bin/python -m pip install -c constraints.txt -e '.[opentelemetry]'"
)


class Tracing(Protocol):
    """Who traces."""

    @property
    def plugins(self) -> Sequence[InitPlugin]:
        """What gives each request of Litestar's its span."""

    @property
    def span(self) -> Span:
        """What gives a piece of work its span, within that of the request that it is done for; done for none, it has none."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Send what was traced while the block runs, and the rest at its end."""


class Untraced:
    """Nobody."""

    plugins: Sequence[InitPlugin] = ()
    span: Span = NO_SPAN

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """There is nothing to send."""
        yield


class TracedHub(Hub):
    """A hub each of whose publications has a span."""

    def __init__(self, span: Span, *parts: Any, **how: Any) -> None:
        """All but the first: as the hub takes it."""
        super().__init__(*parts, **how)
        self._span = span

    async def publish(self, publication: Publication) -> Receipt:
        """As the hub does."""
        with self._span("publish"):
            return await super().publish(publication)


def make_tracing(settings: Settings, version: str, node: str) -> Tracing:
    """As the settings say. Raises SettingsError where the packages are missing that it takes."""
    if settings.tracing == "off":
        return Untraced()
    try:
        otlp = importlib.import_module("app.monitoring.otlp")
    except ImportError as error:
        raise SettingsError(_NEEDS_PACKAGES) from error
    tracing: Tracing = otlp.Otlp(version, node)
    return tracing
