"""`/metrics`: numbers that Prometheus reads."""

from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import InvalidStatus

from api_tests.client import ApiClient, SocketClient
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.waiting import eventually, eventually_told
from app import Connection, Request, __version__, wsx
from app.hub.handlers import Handlers
from app.hub.paced import QueueFull
from app.kernel.errors import Refused, Unavailable
from app.settings import Settings

RETURNED = ("wsx_resumed_total", "wsx_gaps_total", "wsx_replayed_messages_total", "wsx_catching_up")
PACED = ("wsx_paced_waiting", *(f"wsx_paced_{what}_total" for what in ("sent", "failed", "refused", "expired")))


@pytest.fixture(autouse=True)
def face(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queues of a test end with it."""
    monkeypatch.setattr(wsx, "_queues", [])


def read(answer: httpx.Response) -> dict[tuple[str, str], float]:
    """The samples as Prometheus's own parser reads them, by name and the values of their labels, in the order of these."""
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    found = {(sample.name, " ".join(value for _, value in sorted(sample.labels.items()))): sample.value for sample in samples}
    assert len(samples) == len(found)
    return found


async def metrics(api: ApiClient) -> dict[tuple[str, str], float]:
    answer = await api.http.get("/metrics")
    assert (200, "no-store") == (answer.status_code, answer.headers["cache-control"])
    assert "text/plain; version=0.0.4; charset=utf-8" == answer.headers["content-type"]
    return read(answer)


async def test_users_are_counted(server: Running, api: ApiClient) -> None:
    async with server.socket("ada"), server.socket("ada"), server.socket():
        seen = await metrics(api)
        assert (1, 1) == tuple(seen[name, ""] for name in ("wsx_users_connected", "wsx_users_online"))
    await server.connected(0)
    seen = await metrics(api)
    assert (0, 1) == tuple(seen[name, ""] for name in ("wsx_users_connected", "wsx_users_online"))


async def test_connections_are_counted_by_their_door_and_dialect_and_by_how_they_end(server: Running, api: ApiClient) -> None:
    ways_in = ["wsx.v1 ws", "wsx ws", "htmx ws", "turbo ws", "wsx sse", "htmx sse", "turbo sse"]
    assert [0.0] * 7 == [(await metrics(api))["wsx_connections", way] for way in ways_in]
    async with (
        server.socket("ada"),
        server.socket(),
        server.socket(v1=False, path="/ws?batch=oob"),
        server.socket(v1=False, path="/ws/htmx"),
        server.events("ada", query="?dialect=turbo"),
    ):
        await server.connected(5)
        seen = await metrics(api)
        assert [2, 1, 1, 0, 0, 0, 1] == [seen["wsx_connections", way] for way in ways_in]
        await api.post("/connections/close", {"audience": {"kind": "users", "ids": ["ada"]}})
        await server.connected(3)
    await server.connected(0)
    seen = await metrics(api)
    assert [0.0] * 7 == [seen["wsx_connections", way] for way in ways_in]
    assert [2, 1, 1, 0, 0, 0, 1] == [seen["wsx_connections_opened_total", way] for way in ways_in]
    ends = ("ws left", "ws back_office", "sse left", "sse back_office", "ws slow")
    assert [3, 1, 0, 1, 0] == [seen["wsx_connections_closed_total", end] for end in ends]


async def test_pages_that_break_the_protocol_have_not_left_by_themselves(server: Running, api: ApiClient) -> None:
    async with server.socket() as large, server.socket() as broken, server.socket() as other:
        await large.raw.send("x" * 70_000)
        broken.raw.transport.write(b"\xff\x80" + bytes(4))  # bits and a kind of frame that there are not
        await other.raw.close(1009)  # what we send is too big for it
        assert (1009, 1002) == ((await large.closed())[0], (await broken.closed())[0])
        await server.connected(0)
    seen = await metrics(api)
    ends = ("ws too_big", "ws malformed", "ws left", "ws slow")
    assert [1, 1, 1, 0] == [seen["wsx_connections_closed_total", end] for end in ends]


async def test_what_is_published_is_counted_in_updates_bytes_and_seconds(server: Running, api: ApiClient) -> None:
    async with server.socket("ada") as ada, server.socket() as other:
        before = await metrics(api)
        await api.broadcast("<b>hello</b>")
        frames = [await page.raw.recv() for page in (ada, other)]
        await api.broadcast("nobody is in that room", audience={"kind": "rooms", "ids": ["empty"]})
        seen = await metrics(api)
    grown = {what: seen[what] - before[what] for what in seen if what in before}
    assert 2 == grown["wsx_deliveries_total", ""]
    assert 2 == grown["wsx_journal_entries_total", ""]
    assert sum(map(len, frames)) + 2 * 4 == grown["wsx_sent_bytes_total", ""]  # with their headers (RFC 6455, 5.2)
    assert 1 == grown["wsx_publish_to_write_seconds_count", "here"]
    assert 0 < grown["wsx_publish_to_write_seconds_sum", "here"] < 20
    assert 1 == grown["wsx_publish_to_write_seconds_bucket", "+Inf here"]
    assert 0 == grown["wsx_publish_to_write_seconds_count", "elsewhere"]


async def test_requests_are_counted_by_route_and_status_and_strangers_make_no_labels(server: Running, api: ApiClient) -> None:
    for user in ("ada", "bob"):
        await api.get(f"/users/{user}")
    for path in ("/nowhere", "/nowhere/else"):
        await api.get(path)
    await api.call("BREW", "/users/ada")
    async with server.events("ada"):
        await server.connected(1)
    await server.connected(0)
    seen = await metrics(api)
    counted = {labels: value for (name, labels), value in seen.items() if name == "wsx_http_requests_total"}
    timed = {labels for name, labels in seen if name == "wsx_http_request_seconds_count"}
    assert 2 == counted["GET /api/v1/users/{user_id} 404"]
    assert 2 == counted["GET other 404"]
    assert 1 == counted["GET /sse 200"]
    assert {"GET /api/v1/users/{user_id}", "GET other"} <= timed
    assert "GET /sse" not in timed  # it took as long as its page stayed
    assert [] == [labels for labels in counted if "nowhere" in labels or "ada" in labels or "BREW" in labels]


async def test_requests_that_come_by_a_trusted_proxy_have_their_routes_too(settings: Settings) -> None:
    async with run_server(replace(settings, trusted_proxies=("127.0.0.1",))) as server, ApiClient(server.url, ADMIN_KEY) as api:
        await api.http.get("/health/live", headers={"X-Forwarded-For": "192.0.2.7"})
        assert 1 == (await metrics(api))["wsx_http_requests_total", "GET /health/live 200"]


async def test_handshakes_are_counted_as_one_route_whatever_path_they_name(server: Running, api: ApiClient) -> None:
    async with server.socket("ada"), server.socket(v1=False, path="/ws/turbo"):
        for path, token in (("/ws", "bad"), ("/ws/made-up", None)):
            with pytest.raises(InvalidStatus):
                await SocketClient(server.url.replace("http", "ws"), path=path, token=token).__aenter__()
    seen = await metrics(api)
    sockets = {labels: value for (name, labels), value in seen.items() if name == "wsx_http_requests_total" and "/ws" in labels}
    assert {"GET /ws 101": 2, "GET /ws 401": 1, "GET /ws 404": 1} == sockets


async def test_what_pages_ask_is_counted_by_how_it_ends(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsx, "handlers", Handlers())

    @wsx.on("answer")
    async def answer(_request: Request, _connection: Connection) -> None:
        return None

    @wsx.on("fail")
    async def fail(request: Request, _connection: Connection) -> None:
        raise {"refused": Refused("no"), "unavailable": Unavailable("away"), "failed": LookupError()}[request.data["how"]]

    limited = replace(settings, socket_rate_per_s=0.001, socket_burst=8)
    async with run_server(limited) as server, ApiClient(server.url, ADMIN_KEY) as api, server.socket("ada") as page:
        await page.ask("answer", target="")
        await page.ask("answer", target="")
        for how in ("refused", "unavailable", "failed"):
            await page.ask("fail", {"how": how})
        await page.ask("no-such-handler")
        await page.raw.send("what?")
        assert "bad_message" == (await page.next_of_type("error"))["code"]
        for _ in range(3):  # two of eight are left: what cannot be read is not counted among them
            await page.ask("answer")
        seen = await metrics(api)
    ends = ("answered", "refused", "unavailable", "failed", "unknown", "limited", "unreadable")
    assert [4, 1, 1, 1, 1, 1, 1] == [seen["wsx_page_requests_total", end] for end in ends]


@pytest.mark.usefixtures("hasty")
async def test_transactions_and_what_is_written_in_batches_are_counted(server: Running, api: ApiClient) -> None:
    async def written() -> bool:
        return (await metrics(api))["wsx_batch_items_count", "audit log"] > 0

    before = await metrics(api)
    assert 0 == before["wsx_batch_waiting", "audit log"]
    await api.post("/rooms", {"id": "lobby", "name": "Lobby"})
    assert 409 == (await api.post("/rooms", {"id": "lobby", "name": "Lobby"})).status_code
    await eventually_told(written)
    seen = await metrics(api)
    assert seen["wsx_transactions_total", "committed"] > before["wsx_transactions_total", "committed"]
    assert seen["wsx_transactions_total", "rolled_back"] > before["wsx_transactions_total", "rolled_back"]
    assert seen["wsx_transaction_seconds_count", ""] == seen["wsx_transactions_total", "committed"]


async def test_the_process_is_told_of_and_how_late_its_loop_is(server: Running, api: ApiClient) -> None:
    async def looked() -> bool:
        return (await metrics(api))["wsx_event_loop_lag_seconds_count", ""] > 0

    await eventually_told(looked)
    seen = await metrics(api)
    assert 1 == seen["wsx_info", __version__]
    assert seen["process_resident_memory_bytes", ""] > 10_000_000
    assert 0 < seen["process_open_fds", ""] < seen["process_max_fds", ""]
    assert ("python_gc_collections_total", "0") in seen
    assert ("wsx_worker_up", "1") not in seen  # it is alone


async def test_pages_that_come_back_and_what_they_are_shown_are_counted(server: Running, api: ApiClient) -> None:
    cursor = server.hub.cursor()
    for text in ("1", "2"):
        await api.broadcast(text, swap="beforeend")
    for path in (f"/ws?cursor={cursor}", f"/ws?cursor={server.hub.cursor()}", "/ws?cursor=unknown"):
        async with server.socket(path=path) as page:
            await api.broadcast("live")
            while (await page.next()).get("html") != "live":
                pass
    seen = await metrics(api)
    assert (2, 1, 3, 0) == tuple(seen[name, ""] for name in RETURNED)


async def test_a_paced_queue_shows_what_waits_and_what_became_of_the_rest(server: Running, api: ApiClient) -> None:
    queue = wsx.paced(max_per_s=0.001, max_waiting=2, name="prices")
    queue.broadcast("#a", "sent")
    await eventually(lambda: queue.counts().sent == 1)
    for _ in range(2):
        queue.broadcast("#a", "waits")
    for _ in range(3):
        with pytest.raises(QueueFull):
            queue.broadcast("#a", "too many")
    seen = await metrics(api)
    assert (2, 1, 0, 3, 0) == tuple(seen[name, "prices"] for name in PACED)
    await queue.drain()
    seen = await metrics(api)
    assert (0, 3, 0, 3, 0) == tuple(seen[name, "prices"] for name in PACED)


async def test_the_servers_own_queues_are_there_from_the_start(server: Running, api: ApiClient) -> None:
    seen = await metrics(api)
    assert {0.0} == {seen[name, queue] for name in PACED for queue in ("broadcasts", "live-feed")}
    async with server.socket("ada") as page:
        await page.ask("rate-limited-update")
        await api.broadcast("x", pace="queued")
        assert {"x", "<div>Update from ada</div>"} == {(await page.next())["html"] for _ in range(2)}
    seen = await metrics(api)
    assert (1, 1) == (seen["wsx_paced_sent_total", "broadcasts"], seen["wsx_paced_sent_total", "live-feed"])


async def test_odd_names_of_queues_are_read_back_as_they_are(server: Running, api: ApiClient) -> None:
    names = ['say "hi"', "back\\slash", "line\nbreak", "Wörter", "{a=b}, "]
    for name in names:
        wsx.paced(max_per_s=1, name=name)
    assert set(names) < {queue for name, queue in await metrics(api) if name == PACED[0]}


@pytest.mark.parametrize(("scopes", "status"), [(("metrics:read",), 200), (("metrics:*",), 200), (("broadcasts:write",), 403)])
async def test_the_numbers_need_their_scope(server: Running, api: ApiClient, scopes: tuple[str, ...], status: int) -> None:
    async with ApiClient(server.url, await api.key_with(*scopes)) as other:
        answer = await other.http.get("/metrics")
    assert (status, True) == (answer.status_code, "ratelimit" in answer.headers)
    problem: Any = answer.json() if status == 403 else {"detail": "metrics:read"}
    assert "metrics:read" in problem["detail"]


async def test_without_a_key_there_are_no_numbers(server: Running) -> None:
    async with ApiClient(server.url, None) as stranger:
        answer = await stranger.http.get("/metrics")
    assert (401, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert "wsx_" not in answer.text.replace("wsx_<", "")


@pytest.mark.usefixtures("hasty")
async def test_who_is_refused_them_is_in_the_audit_log(server: Running, api: ApiClient) -> None:
    async with ApiClient(server.url, await api.key_with("broadcasts:write")) as weak, ApiClient(server.url, None) as stranger:
        for one in (weak, stranger):
            await one.http.get("/metrics")

    async def noted() -> bool:
        found = (await api.get("/audit-events?operation=metrics")).json()["items"]
        return {401, 403} == {one["status"] for one in found}

    await eventually_told(noted)
