"""Announcements that come and go by themselves: at their time, once, on every screen, whatever happens before."""

import pytest

from api_tests.client import ApiClient
from api_tests.db.beside import others_write, rows
from api_tests.features.announcing import LATER_S, NEW, announce, change, ends_soon, later, shown
from api_tests.features.talking import told
from api_tests.server import run_server
from api_tests.waiting import MS, eventually
from app.features import timetable
from app.features.announcements import service
from app.features.dashboard import service as dashboard
from app.kernel.clock import utc_now


@pytest.fixture(autouse=True)
def dashboard_that_rests(monkeypatch):
    """So that admins hear of announcements only."""
    monkeypatch.setattr(dashboard, "PAUSE_S", 3600)


async def state(api, made):
    return (await api.get(f"/announcements/{made['id']}")).json()["state"]


# -- at its time, by the real clock ------------------------------------------------------------------------------------
async def test_it_is_shown_at_its_time_once_and_not_before(server, api):
    with told(server, "announcement.published") as events:
        async with server.socket("ada") as page, server.socket() as nobody:
            made = await announce(api, publish_at=later())
            assert ("scheduled", None, 0, 0, 0) == tuple(
                made[name] for name in ("state", "published_at", "matched", "queued", "users")
            )
            await api.broadcast("before")
            await page.hears_nothing_but("before")
            assert [] == events
            await change(api, made, publish_at=(moment := later(0.3)))
            message = await page.next()
            assert moment < utc_now().isoformat()
            assert ("#announcements", "afterbegin") == (message["target"], message["swap"])
            assert f'id="announcement-{made["id"]}"' in message["html"]
            await api.broadcast("after")
            await page.hears_nothing_but("after")
            await nobody.hears_nothing_but("before")
            await nobody.hears_nothing_but("after")
        assert [made["id"]] == [event.id for _, event in events]
    published = (await api.get(f"/announcements/{made['id']}")).json()
    assert ("in_force", True) == (published["state"], published["published_at"] >= published["publish_at"])
    async with server.socket("ada") as page:
        assert [made["id"]] == (await shown(page)).ids


async def test_it_leaves_every_screen_at_its_end_and_is_shown_to_nobody_who_comes(server, api):
    async with server.socket("ada") as ada, server.socket() as nobody:
        stays, made = await announce(api), await announce(api, expires_at=later())
        screen = await shown(ada, await shown(ada))
        moment = await ends_soon(api, made)
        while made["id"] in screen.ids:
            await shown(ada, screen)
        assert [stays["id"]] == screen.ids
        assert moment < utc_now().isoformat()
        assert (f"#announcement-{made['id']}", "delete") == ((gone := await nobody.next())["target"], gone["swap"])
        async with server.socket("ada") as late:
            assert [stays["id"]] == (await shown(late)).ids
        await api.broadcast("marker")
        for page in (ada, nobody):
            await page.hears_nothing_but("marker")
    assert "expired" == await state(api, made)


# -- at its time, by a clock that is set forward -----------------------------------------------------------------------
async def test_more_may_be_due_at_once_than_are_shown_in_one_step(clock, server, api, monkeypatch):
    monkeypatch.setattr(service, "AT_ONCE", 2)
    async with server.socket("ada") as page:
        times = {"publish_at": later(), "expires_at": later(2 * LATER_S)}
        ids = [(await announce(api, **times))["id"] for _ in range(5)]
        clock.skip(LATER_S)
        screen = await shown(page)
        while len(screen.ids) < len(ids):
            await shown(page, screen)
        assert sorted(ids) == sorted(screen.ids)
        clock.skip(LATER_S)
        while screen.ids:
            await shown(page, screen)
    assert {"expired"} == {item["state"] for item in (await api.get("/announcements")).json()["items"]}


# -- changed before, and after -----------------------------------------------------------------------------------------
async def test_a_scheduled_one_is_shown_as_it_was_edited_to_those_whom_it_concerns_by_then(clock, server, api):
    async with server.socket("ada") as ada, server.socket("root", roles=("admin",)) as root:
        made = await announce(api, publish_at=later())
        edited = await change(api, made, message="Cake", priority="low")
        assert ("scheduled", "Cake", "low") == tuple(edited[name] for name in ("state", "message", "priority"))
        clock.skip(LATER_S)
        assert [(made["id"], "Cake")] == (await shown(root)).items
        await api.broadcast("marker")
        for page in (ada, root):
            await page.hears_nothing_but("marker")


@pytest.mark.parametrize("publish_at", [None, "2020-01-01T00:00:00Z"], ids=["null", "past"])
async def test_a_scheduled_one_may_be_shown_at_once(server, api, publish_at):
    async with server.socket("ada") as page:
        made = await announce(api, publish_at=later(3600))
        await change(api, made, publish_at=publish_at)
        assert [made["id"]] == (await shown(page)).ids
    assert "in_force" == await state(api, made)


async def test_a_scheduled_one_may_be_put_off(clock, server, api):
    async with server.socket("ada") as page:
        made = await announce(api, publish_at=(first := later()))
        await announce(api, message="marker", publish_at=first)
        await change(api, made, publish_at=later(2 * LATER_S))
        clock.skip(LATER_S)
        await page.hears_nothing_but("marker")
        await api.broadcast("another marker")
        await page.hears_nothing_but("another marker")
        clock.skip(LATER_S)
        assert [made["id"]] == (await shown(page)).ids


async def test_a_scheduled_one_that_is_recalled_is_never_shown(clock, server, api):
    async with server.socket("ada") as page:
        made = await announce(api, publish_at=(moment := later()))
        await announce(api, message="marker", publish_at=moment)
        assert 204 == (await api.delete(f"/announcements/{made['id']}")).status_code
        clock.skip(LATER_S)
        await page.hears_nothing_but("marker")
        await api.broadcast("another marker")
        await page.hears_nothing_but("another marker")


async def test_the_end_may_be_moved_and_taken_away(clock, server, api):
    async with server.socket("ada") as page:
        made, other = [await announce(api, expires_at=(first := later())) for _ in range(2)]
        screen = await shown(page, await shown(page))
        await change(api, made, expires_at=None)
        await shown(page, screen)
        clock.skip(LATER_S)
        gone = await page.next()
        assert f"#announcement-{other['id']}" == gone["target"]
        screen.apply(gone)
        await api.broadcast("marker")
        await page.hears_nothing_but("marker")
        assert [made["id"]] == screen.ids
        assert first < utc_now().isoformat()
        await change(api, made, expires_at=later())
        await shown(page, screen)
        clock.skip(LATER_S)
        assert [] == (await shown(page, screen)).ids


async def test_one_that_is_over_may_be_edited_in_silence_and_comes_again_with_a_new_end(clock, server, api):
    made = await announce(api, expires_at=later())
    clock.skip(LATER_S)
    async with server.socket("ada") as page:
        await change(api, made, message="Cake")
        await api.broadcast("marker")
        message = await page.next()
        while message["target"] == f"#announcement-{made['id']}":  # its end, perhaps
            message = await page.next()
        assert "marker" == message["html"]
        await change(api, made, expires_at=later(3600))
        screen = await shown(page)
        while not screen.ids:
            await shown(page, screen)
        assert ["Cake"] == screen.texts
    async with server.socket("ada") as page:
        assert ["Cake"] == (await shown(page)).texts


async def test_times_that_make_no_sense_are_refused_and_change_nothing(server, api):
    scheduled = await announce(api, publish_at=later(60))
    published = await announce(api, publish_at="2026-01-01T00:00:00Z")
    for made, changes, pointer in [
        (scheduled, {"expires_at": later(30)}, "/expires_at"),
        (scheduled, {"publish_at": later(90), "expires_at": later(80)}, "/expires_at"),
        (scheduled, {"publish_at": None, "expires_at": later(-1)}, "/expires_at"),
        (published, {"expires_at": later(-1)}, "/expires_at"),
        (published, {"publish_at": later(60)}, "/publish_at"),
        (published, {"publish_at": None, "message": "x"}, "/publish_at"),
    ]:
        answer = await api.call("PATCH", f"/announcements/{made['id']}", changes)
        assert (422, pointer) == (answer.status_code, answer.json()["errors"][0]["pointer"]), changes
    for made in (scheduled, published):
        assert (await api.get(f"/announcements/{made['id']}")).json().items() <= made.items()
    assert NEW["message"] == (await change(api, published, publish_at="2026-01-01T01:00:00+01:00"))["message"]  # the same moment


# -- while the server is down ------------------------------------------------------------------------------------------
async def test_the_board_and_the_schedule_go_on_after_a_restart(clock, settings):
    async with run_server(settings) as server, ApiClient(server.url, settings.admin_key) as api:
        stays = await announce(api)
        ends = await announce(api, expires_at=later(2 * LATER_S))
        comes = await announce(api, publish_at=later(2 * LATER_S))
        was_due = await announce(api, publish_at=later())
        lived = await announce(api, publish_at=later(LATER_S / 2), expires_at=later())
    clock.skip(LATER_S)
    async with run_server(settings) as server, ApiClient(server.url, settings.admin_key) as api, server.socket("ada") as page:
        screen = await shown(page)
        while screen.ids[0] != was_due["id"]:
            await shown(page, screen)
        assert [was_due["id"], ends["id"], stays["id"]] == screen.ids
        clock.skip(LATER_S)
        while comes["id"] not in screen.ids or ends["id"] in screen.ids:
            await shown(page, screen)
        assert [comes["id"], was_due["id"], stays["id"]] == screen.ids
        assert ["expired"] * 2 == [await state(api, made) for made in (ends, lived)]


# -- when things go wrong ----------------------------------------------------------------------------------------------
async def test_one_that_could_not_be_shown_is_tried_again(clock, server, api, monkeypatch, logged):
    monkeypatch.setattr(service, "FAILED_AGAIN_S", 10 * MS)
    item, failures = service.view.item, []

    def fail(_row):
        failures.append(1)
        raise RuntimeError("a broken fragment")

    async with server.socket("ada") as page:
        made = await announce(api, publish_at=later())
        monkeypatch.setattr(service.view, "item", fail)
        clock.skip(LATER_S)
        await eventually(lambda: len(failures) > 2)
        assert "scheduled" == await state(api, made)
        monkeypatch.setattr(service.view, "item", item)
        assert [made["id"]] == (await shown(page)).ids
    assert f'"announcement":"{made["id"]}","event":"an announcement cannot be shown"' in logged()


async def test_one_that_cannot_be_shown_holds_up_no_other_and_none_that_ends(clock, server, api, monkeypatch):
    item = service.view.item
    broken, ends = await announce(api, publish_at=later()), await announce(api, expires_at=later())
    due = await announce(api, publish_at=later())

    def fail_for_one(row):
        if str(row.id) == broken["id"]:
            raise RuntimeError("a broken fragment")
        return item(row)

    monkeypatch.setattr(service.view, "item", fail_for_one)
    async with server.socket("ada") as page:
        screen = await shown(page)
        assert [ends["id"]] == screen.ids
        clock.skip(LATER_S)
        while [due["id"]] != screen.ids:
            await shown(page, screen)


async def test_while_the_database_is_away_what_is_due_waits(clock, impatient, settings, monkeypatch, logged):
    monkeypatch.setattr(timetable, "RETRY_S", 10 * MS)
    async with run_server(settings) as server, ApiClient(server.url, settings.admin_key) as api, server.socket("ada") as page:
        made = await announce(api, publish_at=later())
        await eventually(lambda: [(1,)] == rows(settings, "SELECT count(*) FROM users WHERE last_connected_at IS NOT NULL"))
        told_of = ""
        async with others_write(settings):
            clock.skip(LATER_S)
            while "work on time waits" not in told_of:
                await api.get("/rooms")
                told_of += logged()
        assert [made["id"]] == (await shown(page)).ids
