"""Spans, as a receiver of OpenTelemetry's protocol gets them."""

import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from socket import socket

import pytest
from msgspec.structs import replace

from api_tests.client import ApiClient
from api_tests.monitoring.receiver import Receiver, receiving
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.waiting import MS, eventually
from app.main import create_app
from app.monitoring import otlp
from app.settings import Settings, SettingsError

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        yield running


@pytest.fixture
async def traced(settings: Settings, receiver: Receiver) -> AsyncIterator[Running]:
    async with run_server(replace(settings, tracing="otlp")) as running:
        yield running


async def test_a_request_has_a_span_with_those_of_what_it_does_inside(
    traced: Running, receiver: Receiver, logged: Callable[[], str]
) -> None:
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Request-ID": "find-me"}
    async with ApiClient(traced.url, ADMIN_KEY) as api, traced.socket("ada"):
        body = {"audience": {"kind": "everyone"}, "target": "#a", "html": "x"}
        assert 202 == (await api.post("/broadcasts", body, headers=headers)).status_code
        assert 201 == (await api.post("/rooms", {"id": "lobby", "name": "Lobby"})).status_code
        await api.get("/rooms/lobby")
        await api.http.get("/health/live")
    await eventually(lambda: receiver.named("GET /api/v1/rooms/{room_id}"))
    (broadcast,), (room,) = receiver.named("POST /api/v1/broadcasts"), receiver.named("POST /api/v1/rooms")
    assert (TRACE, CALLER) == (broadcast.trace, broadcast.parent)
    assert [broadcast.id] == [one.parent for one in receiver.named("publish") if one.trace == TRACE]
    assert room.id in {one.parent for one in receiver.named("transaction") if one.trace == room.trace}
    assert ("find-me", "/api/v1/broadcasts", "202") == tuple(
        broadcast.attributes[name] for name in ("wsx.request_id", "http.route", "http.status_code")
    )
    lines = [json.loads(line) for line in logged().splitlines() if "find-me" in line]
    assert [TRACE] == [line["trace_id"] for line in lines if line["event"] == "request"]
    assert "wsx" == broadcast.resource["service.name"]
    assert traced.hub.returning.ids.node == broadcast.resource["service.instance.id"]
    assert [] == [span.name for span in receiver.spans if "health" in span.name or span.name.endswith(("send", "receive"))]


async def test_a_write_that_leaves_with_others_has_its_span_in_its_request(traced: Running, receiver: Receiver) -> None:
    async with ApiClient(traced.url, ADMIN_KEY) as api:
        await api.post("/rooms", {"id": "lobby", "name": "Lobby"})
        assert 201 == (await api.post("/rooms/lobby/messages", {"user_id": "ada", "message": "hello"})).status_code
        await api.get("/cursor")
    await eventually(lambda: receiver.named("GET /api/v1/cursor"))
    (said,) = receiver.named("POST /api/v1/rooms/{room_id}/messages")
    inside = {span.name for span in receiver.spans if span.parent == said.id}
    assert {"write", "publish"} <= inside


async def test_every_trace_begins_with_a_request(traced: Running, receiver: Receiver) -> None:
    async with ApiClient(traced.url, ADMIN_KEY) as api, traced.socket("ada") as ada:
        await ada.ask("join-room", {"roomId": "lobby"})
        await ada.ask("send-message", {"roomId": "lobby", "message": "hello"})
        await api.get("/cursor")
        await api.post("/rooms", {"id": "garden", "name": "Garden"})
    await eventually(lambda: receiver.named("POST /api/v1/rooms"))
    roots = {span.name for span in receiver.spans if not span.parent}
    assert {"GET /api/v1/cursor", "POST /api/v1/rooms"} == roots


async def test_nothing_secret_is_in_a_span(traced: Running, receiver: Receiver) -> None:
    async with ApiClient(traced.url, ADMIN_KEY) as api, ApiClient(traced.url, "wsx_a-wrong-key") as stranger:
        made = (await api.post("/connection-tokens", {"user_id": "eve"})).json()["token"]
        await stranger.get("/rooms", headers={"Cookie": f"wsx_token={made}"})
    await eventually(lambda: receiver.named("GET /api/v1/rooms"))
    sent = b"".join(receiver.bodies)
    assert [] == [one for one in (ADMIN_KEY, made, "a-wrong-key") if one.encode() in sent]


async def test_what_was_traced_last_is_sent_before_the_server_ends(
    settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    async with run_server(replace(settings, tracing="otlp")) as running, ApiClient(running.url, ADMIN_KEY) as api:
        await api.get("/cursor")
        assert [] == receiver.spans
    (span,) = receiver.named("GET /api/v1/cursor")
    assert "shop" == span.resource["service.name"]


async def test_a_receiver_that_is_away_holds_up_no_stop(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "LAST_S", 100 * MS)
    with socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        async with run_server(replace(settings, tracing="otlp")) as running, ApiClient(running.url, ADMIN_KEY) as api:
            assert 200 == (await api.get("/cursor")).status_code
            stops_at = time.monotonic()
        assert time.monotonic() - stops_at < 5  # the library would try for ten


async def test_without_the_setting_nothing_is_traced(server: Running, receiver: Receiver, logged: Callable[[], str]) -> None:
    async with ApiClient(server.url, ADMIN_KEY) as api:
        assert 200 == (await api.get("/cursor")).status_code
    assert "trace_id" not in logged()
    assert [] == receiver.bodies


def test_where_the_packages_are_missing_it_is_said_how_to_have_them(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "app.monitoring.otlp", None)
    with pytest.raises(SettingsError, match=r"WSX_TRACING: otlp needs more packages; .*\[opentelemetry\]"):
        create_app(replace(settings, tracing="otlp"))
