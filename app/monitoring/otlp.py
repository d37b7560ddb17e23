"""Spans by OpenTelemetry, sent by OTLP over HTTP. Where to, how many and by what name say the standard variables, `OTEL_…`.

Requests have theirs by Litestar's plugin. Sockets and streams have none: they last for hours. Nor has what is done for pages and
by the clock: a trace that begins with a transaction tells nobody what it was for.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from threading import Thread
from typing import Any, Final

from litestar.config.app import AppConfig
from litestar.plugins import InitPlugin
from litestar.plugins.opentelemetry import OpenTelemetryConfig, OpenTelemetryPlugin
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as OpenSpan
from opentelemetry.trace import Tracer, format_trace_id, get_current_span
from structlog.contextvars import bind_contextvars

from app.kernel.span import Span

LAST_S: Final = 2.0
"""Seconds that the last spans have to leave, when the server stops."""


class Otlp:
    """A provider of this application's own: several in one process are kept apart."""

    def __init__(self, version: str, node: str) -> None:
        """`node`: the name of this process among those of a cluster, in its life."""
        about = Resource({"service.name": "wsx", "service.version": version, "service.instance.id": node})
        resource = Resource.create().merge(about).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.plugins: Sequence[InitPlugin] = (_requests(self._provider), _RouteNames())
        self.span: Span = _inside_requests(self._provider.get_tracer("wsx", version))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """They are sent by a thread of the library's. At the end a receiver that is away is not waited for."""
        yield
        last = Thread(target=self._provider.shutdown, daemon=True)
        last.start()
        await asyncio.to_thread(last.join, LAST_S)


def _inside_requests(tracer: Tracer) -> Span:
    """Spans of what is done for a request; nothing has one that is done for none."""

    def span(name: str) -> AbstractContextManager[object]:
        is_inside = get_current_span().get_span_context().is_valid
        return tracer.start_as_current_span(name) if is_inside else nullcontext()

    return span


def _requests(provider: TracerProvider) -> OpenTelemetryPlugin:
    config = OpenTelemetryConfig(
        tracer_provider=provider,
        scope_span_details_extractor=_details,
        server_request_hook_handler=_began,
        exclude_spans=["receive", "send"],
        exclude=["^/health/", "^/metrics$"],
    )
    return OpenTelemetryPlugin(config)


def _details(scope: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name until its route is known: a path has ids in it, and names should be few."""
    return scope["method"], {}


def _began(span: OpenSpan, scope: Mapping[str, Any]) -> None:
    """Spans and lines of the log find each other."""
    span.set_attribute("wsx.request_id", scope["state"]["request_id"])
    bind_contextvars(trace_id=format_trace_id(span.get_span_context().trace_id))


class _RouteNames(InitPlugin):
    """Names the span of a request by its route, once that was found."""

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        app_config.before_send.append(_name_by_route)
        return app_config


async def _name_by_route(message: Mapping[str, Any], scope: Mapping[str, Any]) -> None:
    route = scope.get("path_template")
    if message["type"] == "http.response.start" and route:
        span = get_current_span()
        span.update_name(f"{scope['method']} {route}")
        span.set_attribute("http.route", route)
