"""What the console's pages are shown by themselves."""

import asyncio
import json
from collections.abc import Callable, Collection
from typing import Any

import pytest

from api_tests.client import ApiClient
from api_tests.features.operator import Operator, shown
from api_tests.server import Running
from api_tests.waiting import MS, eventually
from app.features.console import live
from app.features.console_charts import Sample, Samples, charts
from app.features.console_charts import samples as sampling
from app.features.console_pages import Page
from app.features.console_sessions import Session, Sessions
from app.kernel.errors import Unavailable


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn is a moment."""
    monkeypatch.setattr(live, "EVERY_S", 20 * MS)
    monkeypatch.setattr(live, "LOOK_EVERY_S", 10 * MS)


async def test_a_list_of_connections_follows_who_comes_and_goes(server: Running):
    async with Operator(server) as operator, operator.socket() as window:
        await window.ask("watch", {"page": "connections", "query": "done=closed"})
        await shown(window, "Nobody is here")
        async with server.socket("ada", name="Ada L."):
            assert "0 connections" not in await shown(window, "Ada L.", "1 connection of 1 user")
        await shown(window, "Nobody is here")


async def test_filters_hold_for_what_is_shown_later(server: Running):
    async with Operator(server) as operator, operator.socket() as window, server.socket("bob", name="Bob"):
        await window.ask("watch", {"page": "connections", "query": "user_id=ada"})
        async with server.socket("ada", name="Ada"):
            assert "Bob" not in await shown(window, "Ada")


async def test_what_does_not_change_is_not_sent_again(server: Running, api: ApiClient):
    async with Operator(server) as operator, operator.socket() as window:
        await window.ask("watch", {"page": "rooms"})
        await shown(window, "There is no room")
        await api.post("/rooms", {"id": "lobby"})
        assert "lobby" in (await window.next_of("#live"))["html"]


async def test_the_charts_are_drawn_while_somebody_watches_and_not_before(server: Running, api: ApiClient, monkeypatch):
    monkeypatch.setattr(sampling, "PROBE_S", 0.001)
    taken = []
    take = Samples.take
    monkeypatch.setattr(Samples, "take", lambda self: (taken.append(1), take(self))[1])
    async with Operator(server) as operator, server.socket():
        await operator.see("")
        async with operator.socket() as window:
            await window.ask("watch", {"page": "rooms"})
            await shown(window)
            assert [] == taken
            await window.ask("watch", {"page": "overview"})
            await api.broadcast("<p>hello</p>")
            html = await shown(window, "<svg", "Throughput", "Latency", "Queue depth", "Memory")
            assert 4 == html.count("<polyline points=")
            assert "style=" not in html


async def test_a_key_without_metrics_sees_no_charts(server: Running, api: ApiClient):
    async with Operator(server, await api.key_with("connections:read")) as operator, operator.socket() as window:
        await window.ask("watch", {"page": "overview"})
        html = await shown(window, "Connections")
        assert "charts" not in html


async def test_a_page_that_the_key_may_not_see_is_not_shown_by_the_socket_either(server: Running, api: ApiClient):
    async with Operator(server, await api.key_with("rooms:read")) as operator, operator.socket() as window:
        await window.ask("watch", {"page": "audit"})
        await window.ask("watch", {"page": "rooms"})
        assert "create_room" not in json.dumps(await window.next_of("#live"))


async def test_a_page_that_fails_holds_up_no_other(server: Running, monkeypatch, logged):
    part = live.Live._part

    async def part_of(self: live.Live, page: Page, *rest: Any) -> str | None:
        if page.name == "rooms":
            return await part(self, page, *rest)
        raise RuntimeError

    monkeypatch.setattr(live.Live, "_part", part_of)
    async with Operator(server) as operator, operator.socket() as broken, operator.socket() as window:
        await broken.ask("watch", {"page": "connections"})
        await window.ask("watch", {"page": "rooms"})
        await shown(window, "There is no room")
        await eventually(lambda: "cannot be kept up to date" in logged())


async def test_a_page_that_is_slow_holds_up_no_other_and_is_made_to_its_end_before_it_is_made_anew(
    server: Running, api: ApiClient, monkeypatch, logged
):
    monkeypatch.setattr(live, "VIEW_WITHIN_S", 50 * MS)
    part = live.Live._part
    goes_on = asyncio.Event()
    made: list[str] = []

    async def part_of(self: live.Live, page: Page, *rest: Any) -> str | None:
        if page.name == "rooms":
            return await part(self, page, *rest)
        made.append("begun")
        await goes_on.wait()
        made.append("ended")
        return f"made {made.count('begun')} times"

    monkeypatch.setattr(live.Live, "_part", part_of)
    async with Operator(server) as operator, operator.socket() as slow, operator.socket() as window:
        await slow.ask("watch", {"page": "connections"})
        await window.ask("watch", {"page": "rooms"})
        await shown(window, "There is no room")
        for room in ("lobby", "kitchen"):
            await api.post("/rooms", {"id": room})
            await shown(window, room)
        assert ["begun"] == made
        goes_on.set()
        assert "made 2 times" in (await slow.next_of("#live"))["html"]
        assert ["begun", "ended", "begun", "ended"] == made[:4]
        assert 1 == logged().count("is slow")


async def test_of_one_key_so_many_things_are_shown_and_who_asks_for_one_more_is_told(server: Running, api: ApiClient, monkeypatch):
    monkeypatch.setattr(live, "MAX_VIEWS", 1)
    other_key = await api.key_with("connections:read")
    async with Operator(server) as operator, Operator(server, other_key) as other, operator.socket() as late:
        async with operator.socket() as first, operator.socket() as same, other.socket() as another:
            await first.ask("watch", {"page": "rooms"})
            await late.ask("watch", {"page": "connections"})
            assert ["too_many_views"] == [error["code"] for error in late.errors]
            assert "1 other pages of this key are kept up to date already" == late.errors[0]["detail"]
            await same.ask("watch", {"page": "rooms"})
            await shown(same, "There is no room")
            await another.ask("watch", {"page": "connections"})
            await shown(another, "Nobody is here")
            await first.ask("pause", {})
            await same.ask("pause", {})
        await late.ask("watch", {"page": "connections"})
        await shown(late, "Nobody is here")


async def test_a_page_that_asks_again_is_shown_the_same_again(server: Running):
    async with Operator(server) as operator, operator.socket() as window:
        for _ in range(3):
            await window.ask("watch", {"page": "rooms"})
            await shown(window, "There is no room")


@pytest.mark.parametrize("page", ["keys", "nothing", ""])
async def test_a_page_that_is_not_live_is_refused(server: Running, page: str):
    async with Operator(server) as operator, operator.socket() as window:
        await window.ask("watch", {"page": page})
        assert ["not_live"] == [error["code"] for error in window.errors]


@pytest.mark.parametrize(
    ("error", "told"), [(Unavailable("away"), "are not kept up to date now"), (RuntimeError("broken"), "were not kept up to date")]
)
async def test_nothing_is_shown_while_it_is_not_known_who_is_signed_in(
    server: Running, api: ApiClient, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str], error: Exception, told: str
):
    find_all, failing = Sessions.find_all, [error]

    async def found(self: Sessions, ids: Collection[str]) -> dict[str, Session]:
        for one in failing:
            raise one
        return await find_all(self, ids)

    async with Operator(server) as operator, operator.socket() as window:
        monkeypatch.setattr(Sessions, "find_all", found)
        await eventually(lambda: told in logged())
        await window.ask("watch", {"page": "rooms"})
        await eventually(lambda: told in logged())
        await api.post("/rooms", {"id": "lobby"})
        failing.clear()
        assert "lobby" in (await window.next_of("#live"))["html"]


async def test_a_page_that_pauses_is_shown_nothing_until_it_goes_on(server: Running, api: ApiClient):
    async with Operator(server) as operator, operator.socket() as paused, operator.socket() as window:
        for one in (paused, window):
            await one.ask("watch", {"page": "rooms"})
            await shown(one, "There is no room")
        await paused.ask("pause", {})
        await api.post("/rooms", {"id": "lobby"})
        await shown(window, "lobby")
        await api.post("/rooms", {"id": "kitchen"})
        await shown(window, "kitchen")
        await paused.ask("watch", {"page": "rooms"})
        assert "kitchen" in (await paused.next_of("#live"))["html"]


async def test_a_connection_that_has_gone_is_said_to_be_gone(server: Running):
    async with Operator(server) as operator, operator.socket() as window:
        async with server.socket("ada") as ada:
            await window.ask("watch", {"page": "connection", "query": f"id={ada.id}"})
            await shown(window, "ada")
        await shown(window, "No connection of this id is open")


async def test_the_console_is_no_connection_of_the_product(server: Running, api: ApiClient):
    async with Operator(server) as operator, operator.socket() as window:
        assert 0 == (await api.get("/connections/count")).json()["connections"]
        assert 0 == (await api.broadcast("<p>hijacked</p>", "body"))["matched"]
        await window.ask("watch", {"page": "rooms"})
        assert "hijacked" not in json.dumps(await window.next())
        assert [] == (await api.get("/users")).json()["items"]


async def test_the_product_knows_no_socket_of_the_console(server: Running):
    async with Operator(server) as operator, operator.socket() as window:
        for handler in ("join-room", "admin-announcement", "authenticate"):
            await window.ask(handler, {})
        assert {"no_handler"} == {error["code"] for error in window.errors}


async def test_two_windows_of_one_key_are_shown_the_same_made_once(server: Running, api: ApiClient, monkeypatch):
    async with Operator(server) as operator, operator.socket() as one, operator.socket() as other:
        for window in (one, other):
            await window.ask("watch", {"page": "rooms", "query": ""})
        for window in (one, other):
            await shown(window, "There is no room")
        await api.post("/rooms", {"id": "lobby"})
        first, second = await one.next_of("#live"), await other.next_of("#live")
        assert first == second


async def test_pages_that_the_server_leaves_come_back(server: Running):
    async with Operator(server) as operator, operator.socket() as window:
        server.uvicorn.should_exit = True
        code, _ = await window.closed()
        assert code in {1001, 1012}


def _sample(**values: float) -> Sample:
    nothing = dict.fromkeys(Sample._fields, 0)
    return Sample(**{**nothing, **values})


def test_a_chart_ends_at_the_right_with_the_newest_value_below_its_upper_edge():
    throughput = charts([_sample(updates_per_s=value) for value in (0, 30, 15)])[0]
    assert ("15/s", "50/s") == (throughput.now, throughput.top)
    points = [tuple(map(float, point.split(","))) for point in throughput.line.split()]
    assert [(480.0, 84.0), 3] == [points[-1], len(points)]


def test_bytes_are_said_in_the_unit_that_people_read():
    said = [charts([_sample(held_bytes=value)])[2].now for value in (0, 2_048, 3_145_728)]
    assert ["0 B", "2.0 KiB", "3.0 MiB"] == said
    tops = [charts([_sample(held_bytes=value)])[2].top for value in (0, 3_000, 3_145_728)]
    assert ["1.0 KiB", "5.0 KiB", "5.0 MiB"] == tops


async def test_no_more_than_two_minutes_are_kept_and_nothing_over_a_pause(server: Running, monkeypatch):
    told = [100.0]
    monkeypatch.setattr(sampling, "monotonic", lambda: told[0])
    samples = Samples(server.hub)
    for _ in range(200):
        told[0] += 1
        samples.take()
    assert sampling.KEPT == len(samples.newest)
    told[0] += 60
    samples.take()
    assert () == samples.newest
    samples.rest()
    samples.rest()


async def test_how_late_the_loop_was_before_a_pause_is_not_of_the_time_after_it(server: Running, monkeypatch):
    told = [100.0]
    monkeypatch.setattr(sampling, "monotonic", lambda: told[0])
    samples = Samples(server.hub)
    for pause_s, rests in ((1, True), (60, False)):
        samples.take()
        samples._probed(told[0] - 0.45)
        if rests:
            samples.rest()
        told[0] += pause_s
        samples.take()
        told[0] += 1
        samples.take()
        assert {0} == {sample.late_ms for sample in samples.newest}
        told[0] += 60
    samples.rest()


def test_memory_is_known_also_where_the_system_says_only_the_most_that_it_was(monkeypatch, tmp_path):
    known = sampling.memory_bytes()
    monkeypatch.setattr(sampling, "_STATM", tmp_path / "none")
    assert known > 1_000_000 < sampling.memory_bytes()
