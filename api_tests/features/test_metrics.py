"""`/metrics`: numbers that Prometheus reads."""

from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api_tests.client import ApiClient
from api_tests.server import Running
from api_tests.waiting import eventually, eventually_told
from app import wsx
from app.hub.paced import QueueFull

RETURNED = ("wsx_resumed_total", "wsx_gaps_total", "wsx_replayed_messages_total", "wsx_catching_up")
PACED = ("wsx_paced_waiting", *(f"wsx_paced_{what}_total" for what in ("sent", "failed", "refused", "expired")))


@pytest.fixture(autouse=True)
def face(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queues of a test end with it."""
    monkeypatch.setattr(wsx, "_queues", [])


def read(answer: httpx.Response) -> dict[tuple[str, str], float]:
    """The samples as Prometheus's own parser reads them, by name and queue."""
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    found = {(sample.name, sample.labels.get("queue", "")): sample.value for sample in samples}
    assert len(samples) == len(found)
    return found


async def metrics(api: ApiClient) -> dict[tuple[str, str], float]:
    answer = await api.http.get("/metrics")
    assert (200, "no-store") == (answer.status_code, answer.headers["cache-control"])
    assert "text/plain; version=0.0.4; charset=utf-8" == answer.headers["content-type"]
    return read(answer)


async def test_connections_and_users_are_counted(server: Running, api: ApiClient) -> None:
    async with server.socket("ada"), server.socket("ada"), server.socket():
        seen = await metrics(api)
        assert (3, 1, 1) == tuple(seen[name, ""] for name in ("wsx_connections", "wsx_users_connected", "wsx_users_online"))
    await server.connected(0)
    seen = await metrics(api)
    assert (0, 0, 1) == tuple(seen[name, ""] for name in ("wsx_connections", "wsx_users_connected", "wsx_users_online"))


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
