"""Broadcasts at a steady pace: `wsx.paced`, `rate-limited-update` and `"pace": "queued"`, through a real server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from time import monotonic

import pytest

from api_tests.client import ApiClient, SocketClient
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.waiting import eventually
from app import followers_of, roles, users, wsx
from app.db.session import Database
from app.features.broadcasts import service
from app.hub.paced import Paced, QueueFull
from app.kernel.transaction import PublishedInsideTransaction
from app.settings import Settings

XSS = "<img src=x onerror=alert(1)>"
ALMOST_NEVER_PER_S = 0.001
"""The first goes out at once, the second after a quarter of an hour."""
NEW = {"audience": {"kind": "everyone"}, "target": "#feed", "html": "x", "swap": "beforeend"}


@pytest.fixture(autouse=True)
def face(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queues of a test end with it."""
    monkeypatch.setattr(wsx, "_queues", [])


@pytest.fixture
async def slow(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    """A server whose own queues hold three, and send one."""
    monkeypatch.setattr(service, "QUEUED_PER_S", ALMOST_NEVER_PER_S)
    monkeypatch.setattr(service, "LIVE_FEED_PER_S", ALMOST_NEVER_PER_S)
    monkeypatch.setattr(service, "MAX_WAITING", 3)
    async with run_server(settings) as running:
        yield running


def queue_of(server: Running, name: str) -> Paced:
    (queue,) = (queue for queue in server.hub.paced_queues if queue.name == name)
    return queue


async def texts(page: SocketClient, count: int) -> list[str]:
    return [(await page.next())["html"] for _ in range(count)]


async def test_broadcasts_of_a_queue_arrive_in_their_order_at_its_pace(server: Running) -> None:
    queue = wsx.paced(max_per_s=50)
    async with server.socket() as page:
        began = monotonic()
        for number in range(6):
            queue.broadcast("#live-feed", str(number), "afterbegin")
        heard = [await page.next() for _ in range(6)]
        assert monotonic() - began >= 5 / 50
    assert [("#live-feed", str(number), "afterbegin") for number in range(6)] == [
        (message["target"], message["html"], message["swap"]) for message in heard
    ]
    assert (0, 6, 0, 0, 0) == queue.counts()


async def test_a_pause_earns_no_burst(server: Running) -> None:
    queue = wsx.paced(max_per_s=20)
    async with server.socket() as page:
        queue.broadcast("#a", "first")
        await texts(page, 1)
        until = monotonic() + 4 / 20
        await eventually(lambda: monotonic() > until)
        began = monotonic()
        for text in ("second", "third"):
            queue.broadcast("#a", text)
        assert ["second", "third"] == await texts(page, 2)
        assert monotonic() - began >= 1 / 20


async def test_each_is_heard_by_its_own_audience(server: Running) -> None:
    queue = wsx.paced(max_per_s=1_000)
    async with server.socket("ada") as ada, server.socket("eve", roles=("editor",)) as eve, server.socket() as nobody:
        queue.broadcast("#a", "for editors", audience=roles("editor"))
        queue.broadcast("#a", "for ada", audience=users("ada"))
        queue.broadcast("#a", "for all")
        assert ["for ada", "for all"] == await texts(ada, 2)
        assert ["for editors", "for all"] == await texts(eve, 2)
        assert ["for all"] == await texts(nobody, 1)


async def test_a_full_queue_says_so_and_keeps_what_it_has(server: Running) -> None:
    queue = wsx.paced(max_per_s=ALMOST_NEVER_PER_S, max_waiting=3, name="small")
    async with server.socket() as page:
        queue.broadcast("#a", "0")
        await texts(page, 1)
        ids = [queue.broadcast("#a", str(number)) for number in (1, 2, 3)]
        for _ in range(2):
            with pytest.raises(QueueFull, match="3 broadcasts wait in the queue 'small'") as refusal:
                queue.broadcast("#a", "too many")
        assert "1000" == refusal.value.headers["Retry-After"]
        assert [0, 1, 2, None] == [queue.place_of(one) for one in (*ids, "another")]
        assert (3, 1, 0, 2, 0) == queue.counts()
        await queue.drain()
        assert ["1", "2", "3"] == await texts(page, 3)
    assert (0, 4, 0, 2, 0) == queue.counts()


async def test_a_broadcast_that_fails_is_logged_and_stops_nobody(
    server: Running, logged: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its audience cannot be looked up, and that will not pass."""

    async def broken(_user_id: str) -> frozenset[str]:
        raise RuntimeError("it is broken")

    monkeypatch.setattr(server.hub.reach._follows, "followers_of", broken)
    queue = wsx.paced(max_per_s=1_000, name="unlucky")
    async with server.socket() as page:
        queue.broadcast("#a", "before")
        failed = queue.broadcast("#a", "lost", audience=followers_of("ada"))
        queue.broadcast("#a", "behind")
        assert ["before", "behind"] == await texts(page, 2)
    assert (0, 2, 1, 0, 0) == queue.counts()
    (line,) = (line for line in logged().splitlines() if "paced broadcast failed" in line)
    assert '"queue":"unlucky"' in line
    assert failed in line


async def test_a_server_that_stops_sends_what_waits(settings: Settings) -> None:
    async with run_server(settings) as running:
        page = running.socket()
        await page.__aenter__()
        queue = wsx.paced(max_per_s=ALMOST_NEVER_PER_S)
        for number in range(100):
            queue.broadcast("#a", str(number), "beforeend")
    assert [str(number) for number in range(100)] == await texts(page, 100)
    assert (1012, "restarting") == await page.closed()
    assert (0, 100, 0, 0, 0) == queue.counts()


async def test_a_queue_can_be_made_before_any_server_runs_and_outlives_one(settings: Settings) -> None:
    queue = wsx.paced(max_per_s=1_000)
    for text in ("first", "second"):
        async with run_server(settings) as running, running.socket() as page:
            assert queue in running.hub.paced_queues
            queue.broadcast("#a", text)
            assert [text] == await texts(page, 1)


async def test_a_queue_in_which_nothing_waits_costs_nothing(server: Running) -> None:
    queue = wsx.paced(max_per_s=1_000, name="idle")
    async with server.socket() as page:
        queue.broadcast("#a", "x")
        await texts(page, 1)
        await eventually(lambda: "paced idle" not in {task.get_name() for task in asyncio.all_tasks()})


async def test_nothing_is_queued_inside_a_transaction(server: Running) -> None:
    queue = wsx.paced(max_per_s=1_000)
    database = Database(server.settings.database_url)
    async with database.transaction():
        with pytest.raises(PublishedInsideTransaction):
            queue.broadcast("#a", "too early")
    await database.close()
    assert (0, 0, 0, 0, 0) == queue.counts()


@pytest.mark.parametrize(
    "how", [{"max_per_s": 0}, {"max_per_s": -1}, {"max_per_s": float("nan")}, {"max_per_s": 1, "max_waiting": 0}]
)
def test_a_pace_that_is_none_is_refused(how: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="max_per_s must be"):
        wsx.paced(**how)


async def test_an_update_of_a_user_is_queued_for_everyones_live_feed(server: Running) -> None:
    async with server.socket("ada", name=XSS) as ada, server.socket() as nobody:
        answer = await ada.ask("rate-limited-update")
        assert ("#answer", "<div>Update queued for broadcast</div>") == (answer["target"], answer["html"])
        heard = await nobody.next()
    assert ("#live-feed", "afterbegin") == (heard["target"], heard["swap"])
    assert "<div>Update from &lt;img src=x onerror=alert(1)&gt;</div>" == heard["html"]


async def test_updates_of_a_crowd_keep_their_order_and_the_pace(server: Running) -> None:
    async with server.socket("ada", name="Ada") as ada, server.socket("bob", name="Bob") as bob, server.socket() as nobody:
        began = monotonic()
        for page in (ada, bob, ada):
            await page.ask("rate-limited-update")
        assert [f"<div>Update from {name}</div>" for name in ("Ada", "Bob", "Ada")] == await texts(nobody, 3)
        assert monotonic() - began >= 2 / 5


async def test_who_is_not_signed_in_sends_no_updates(server: Running) -> None:
    async with server.socket() as page:
        answer = await page.ask("rate-limited-update")
        assert '<div class="error">Please log in to send updates</div>' == answer["html"]
        assert "not_signed_in" == page.errors[0]["code"]
    assert (0, 0, 0, 0, 0) == queue_of(server, "live-feed").counts()


async def test_a_full_live_feed_refuses_in_words_for_people(slow: Running) -> None:
    async with slow.socket("ada") as ada:
        await ada.ask("rate-limited-update")
        await eventually(lambda: queue_of(slow, "live-feed").counts().sent == 1)
        for _ in range(3):
            assert "queued" in (await ada.ask("rate-limited-update"))["html"]
        answer = await ada.ask("rate-limited-update")
    assert '<div class="error">Too many updates are waiting. Please try again in a moment.</div>' == answer["html"]
    assert "queue_full" == ada.errors[0]["code"]
    assert (3, 1, 0, 1, 0) == queue_of(slow, "live-feed").counts()


async def test_a_queued_broadcast_tells_how_many_go_before_it_and_then_what_became_of_it(server: Running, api: ApiClient) -> None:
    async with server.socket(), server.socket() as page:
        began = monotonic()
        answers = [await api.broadcast(str(number), pace="queued") for number in range(4)]
        assert [(0, 0)] * 4 == [(answer["matched"], answer["queued"]) for answer in answers]
        heard = [await page.next() for _ in range(4)]
        assert monotonic() - began >= 3 / service.QUEUED_PER_S
        assert [(answer["id"], str(number)) for number, answer in enumerate(answers)] == [
            (message["id"], message["html"]) for message in heard
        ]
        for answer in answers:
            assert {"id": answer["id"], "matched": 2, "queued": 2, "incomplete": []} == (
                await api.get(f"/broadcasts/{answer['id']}")
            ).json()


async def test_what_waits_is_found_and_a_full_queue_is_a_problem_with_retry_after(slow: Running) -> None:
    queue = queue_of(slow, "broadcasts")
    async with slow.socket() as page, ApiClient(slow.url, ADMIN_KEY) as api:
        await api.broadcast("first", pace="queued")
        assert ["first"] == await texts(page, 1)
        waiting = [await api.broadcast(str(number), pace="queued") for number in range(3)]
        assert [0, 1, 2] == [answer["waiting"] for answer in waiting]
        for answer in waiting:
            assert answer | {"incomplete": []} == (await api.get(f"/broadcasts/{answer['id']}")).json()
        refused = await api.post("/broadcasts", {**NEW, "pace": "queued"})
        problem = refused.json()
        assert (503, "1000") == (refused.status_code, refused.headers["retry-after"])
        assert "urn:wsx:problem:queue_full" == problem["type"]
        assert "nothing was queued" in problem["detail"]
        await api.broadcast("now")
        assert ["now"] == await texts(page, 1)
        assert (3, 1, 0, 1, 0) == queue.counts()
        async with slow.socket() as late:
            await queue.drain()
            assert ["0", "1", "2"] == await texts(late, 3)
        assert "waiting" not in (await api.get(f"/broadcasts/{waiting[0]['id']}")).json()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({**NEW, "pace": "slow"}, "/pace"),
        ({**NEW, "pace": 5}, "/pace"),
        ({**NEW, "pace": "queued", "target": ""}, "/target"),
        ({**NEW, "pace": "queued", "target": "#" + "x" * 256}, "/target"),
        ({**NEW, "pace": "queued", "swap": "explode"}, "/swap"),
        ({**NEW, "pace": "queued", "audience": {"kind": "users", "ids": ["x" * 129]}}, "/audience/ids/0"),
        ({**NEW, "pace": "queued", "oob": [{"target": "#b", "html": "x"}] * 33}, "/oob"),
    ],
)
async def test_what_is_wrong_is_refused_before_it_is_queued(server: Running, api: ApiClient, body: object, pointer: str) -> None:
    answer = await api.post("/broadcasts", body)
    assert (422, pointer) == (answer.status_code, answer.json()["errors"][0]["pointer"])
    assert (0, 0, 0, 0, 0) == queue_of(server, "broadcasts").counts()


async def test_a_batch_has_no_pace(api: ApiClient) -> None:
    answer = await api.post("/broadcasts/batch", {"updates": [{**NEW, "pace": "queued"}]})
    assert (422, "/updates/0/pace") == (answer.status_code, answer.json()["errors"][0]["pointer"])


async def test_queued_html_is_cleaned_too(server: Running, api: ApiClient) -> None:
    async with ApiClient(server.url, await api.key_with("broadcasts:write")) as limited, server.socket() as page:
        await limited.broadcast("<b>x</b><script>x()</script>", pace="queued")
        assert ["<b>x</b>"] == await texts(page, 1)
