"""A receiver of spans: OTLP over HTTP, as a collector takes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Received(NamedTuple):
    """One span, and who sent it."""

    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, str]
    resource: dict[str, str]


class Receiver:
    """What came."""

    def __init__(self, server: ThreadingHTTPServer, bodies: list[bytes]) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.bodies = bodies

    @property
    def spans(self) -> list[Received]:
        return [
            Received(
                span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), _texts(span), _texts(group.resource)
            )
            for body in tuple(self.bodies)
            for group in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]

    def named(self, name: str) -> list[Received]:
        return [span for span in self.spans if span.name == name]


def _texts(of) -> dict[str, str]:
    return {one.key: one.value.string_value or str(one.value.int_value) for one in of.attributes}


@contextmanager
def receiving() -> Iterator[Receiver]:
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert "/v1/traces" == self.path
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Receiver(server, bodies)
        server.shutdown()
        thread.join()
