"""What was answered is pushed, though the journal is away, or a process has died: as it is by then, and under one id."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from api_tests.client import ApiClient
from api_tests.db.beside import others_write, rows
from api_tests.fakes import journal_away
from api_tests.features.announcing import announce, change, later
from api_tests.features.changing import CHANGES, NAMES, READER, ROOM, Change, hear, make, prepare, write
from api_tests.hub.recording import make_hub, tab
from api_tests.server import Running
from api_tests.waiting import MS, SOON_S, eventually
from app.db.session import Database
from app.features import unsent
from app.features.services import Services
from app.features.unsent import Again, Unsent
from app.hub.audience import everyone
from app.hub.publication import Part, Publication
from app.journal.port import Health
from app.kernel.clock import utc_now
from app.settings import Settings
from app.wire.update import Update

NOTED = "SELECT id, what FROM unsent"
IT_HAPPENED = "test.happened"


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not pushed is pushed again soon."""
    monkeypatch.setattr(unsent, "AGAIN_AFTER_S", 100 * MS)
    monkeypatch.setattr(unsent, "LOOK_EVERY_S", 10 * MS)
    monkeypatch.setattr(unsent, "RETRY_S", 20 * MS)
    monkeypatch.setattr(unsent, "FORGET_PAUSE_S", 10 * MS)


async def nothing_is_noted(settings: Settings) -> None:
    await eventually(lambda: not rows(settings, NOTED))


@pytest.mark.parametrize("one", CHANGES, ids=NAMES)
async def test_while_the_journal_is_away_its_own_node_hears_and_all_hear_later(
    soon: None, server: Running, api: ApiClient, one: Change
):
    async with server.socket(**READER) as page:
        ids = await prepare(api, page)
        await nothing_is_noted(server.settings)
        with journal_away(server.hub):
            await make(api, one, ids)
            here = await hear(page, one)
            ((publication_id, what, things),) = rows(server.settings, "SELECT id, what, things FROM unsent")
            assert (one.what, None) == (what, here.get("cursor"))
            refused = await api.post("/broadcasts", {"audience": {"kind": "everyone"}, "target": "#a", "html": "x"})
            assert (503, "3") == (refused.status_code, refused.headers["retry-after"])
        again = await hear(page, one.again)
        assert again["cursor"]
        if "id" in here:  # a batch has none
            assert here["id"] == again["id"]
            is_keyed = one.what == "notification.arrived"
            assert here["id"] in (json.loads(things) if is_keyed else [publication_id])
        await nothing_is_noted(server.settings)
        await api.broadcast("marker")
        await page.hears_nothing_but("marker")


async def test_a_private_message_is_pushed_in_the_same_way(soon: None, server: Running, api: ApiClient):
    one = Change("message.said", "", "", None, "#messages", "psst")
    async with server.socket(**READER) as page:
        await prepare(api, page)
        await nothing_is_noted(server.settings)
        with journal_away(server.hub):
            await write(page, "psst")
            here = await hear(page, one)
            ((_, what),) = rows(server.settings, NOTED)
        again = await hear(page, one)
        ((message_id,),) = rows(server.settings, "SELECT id FROM messages WHERE content = 'psst'")
        told_as = str(UUID(str(message_id)))
        assert (one.what, told_as, told_as) == (what, here["id"], again["id"])
        await nothing_is_noted(server.settings)


@pytest.mark.parametrize("one", CHANGES, ids=NAMES)
async def test_what_was_pushed_is_not_noted_for_long_and_not_pushed_again(
    soon: None, monkeypatch: pytest.MonkeyPatch, server: Running, api: ApiClient, one: Change
):
    monkeypatch.setattr(unsent, "AGAIN_AFTER_S", SOON_S)  # by then it is forgotten, however busy the machine is
    async with server.socket(**READER) as page:
        ids = await prepare(api, page)
        await make(api, one, ids)
        await hear(page, one)
        await nothing_is_noted(server.settings)
        await api.broadcast("marker")
        while "marker" not in str(message := await page.next()):
            assert not one.is_in(message)


async def test_it_is_pushed_as_it_is_by_then_and_not_at_all_where_it_is_gone(soon: None, server: Running, api: ApiClient):
    async with server.socket(**READER) as page:
        await prepare(api, page)
        await nothing_is_noted(server.settings)
        said = f"/rooms/{ROOM}/messages"
        with journal_away(server.hub):
            edited, removed = [(await api.post(said, {"message": text})).json()["id"] for text in ("a draft", "a mistake")]
            recalled = (await api.post("/announcements", {"message": "a mistake", "priority": "low"})).json()["id"]
            await api.call("PATCH", f"/messages/{edited}", {"message": "the text"})
            await api.delete(f"/messages/{removed}")
            await api.delete(f"/announcements/{recalled}")
        await nothing_is_noted(server.settings)
        await api.broadcast("marker")
        again = []
        while "marker" not in str(message := await page.next()):
            again += [message] if "cursor" in message else []
        assert 2 == str(again).count("the text")  # what was said, and its edit
        assert "a draft" not in str(again)
        assert "a mistake" not in str(again)


async def test_a_change_that_shows_nothing_is_not_noted_for_long(soon: None, server: Running, api: ApiClient):
    made = await announce(api, publish_at=later())
    await change(api, made, message="edited")
    await nothing_is_noted(server.settings)
    assert 204 == (await api.delete(f"/announcements/{made['id']}")).status_code
    assert not rows(server.settings, NOTED)


async def note(services: Services, what: str = IT_HAPPENED, *things: str) -> str:
    async with services.database.transaction() as session:
        return await services.of(Unsent).note(session, what, things, everyone)


async def push(services: Services, publication_id: str, text: str) -> None:
    await services.of(Unsent).push(Publication(publication_id, (Part(everyone, Update("#a", text, "beforeend")),)))


async def say_again(services: Services, again: Again) -> None:
    assert everyone == again.heard_by
    await push(services, again.id, f"again {' '.join(again.things)}")


async def test_of_two_nodes_exactly_one_pushes_again_and_in_order(soon: None, settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unsent, "AGAIN_AFTER_S", SOON_S)  # who has claimed has time to push, however busy the machine is
    nodes = [Services(settings, Database(settings.database_url), make_hub(), None) for _ in range(2)]
    pages = [tab(services.hub) for services in nodes]
    with monkeypatch.context() as long_ago:
        long_ago.setattr(unsent, "utc_now", lambda: utc_now() - timedelta(hours=1))
        for number in range(30):
            await note(nodes[0], IT_HAPPENED, str(number))
    running = [services.of(Unsent).running({IT_HAPPENED: say_again}) for services in nodes]
    async with running[0], running[1]:
        await nothing_is_noted(settings)
    heard = [[int(text.removeprefix("again ")) for text in page.heard] for page in pages]
    assert list(range(30)) == sorted(heard[0] + heard[1])
    assert all(one == sorted(one) for one in heard)
    for services in nodes:
        await services.database.close()


@pytest.fixture
async def services(settings: Settings) -> Any:
    made = Services(settings, Database(settings.database_url), make_hub(), None)
    yield made
    await made.database.close()


async def test_what_fails_is_given_up_and_keeps_nothing_else_from_being_pushed(
    soon: None, services: Services, logged: Callable[[], str]
):
    async def fail(services: Services, again: Again) -> None:
        if "broken" in again.things:
            raise RuntimeError("cannot be shown")
        await say_again(services, again)

    page = tab(services.hub)
    for thing in ("broken", "whole"):
        await note(services, IT_HAPPENED, thing)
    async with services.of(Unsent).running({IT_HAPPENED: fail}):
        await nothing_is_noted(services.settings)
    assert ["again whole"] == page.heard
    assert "cannot be shown" in logged()


async def test_what_only_another_version_knows_is_left_to_it(soon: None, services: Services):
    kept = await note(services, "future.happened")
    await note(services)
    async with services.of(Unsent).running({IT_HAPPENED: say_again}):
        await eventually(lambda: [(kept, "future.happened")] == rows(services.settings, NOTED))


async def test_what_is_under_way_is_not_pushed_by_this_node_a_second_time(
    soon: None, services: Services, monkeypatch: pytest.MonkeyPatch
):
    page = tab(services.hub)
    may_go_on = asyncio.Event()
    publish = services.hub.publish

    async def slowly(publication: Publication) -> Any:
        if publication.id == slow:
            await may_go_on.wait()
        return await publish(publication)

    monkeypatch.setattr(services.hub, "publish", slowly)
    slow = await note(services, IT_HAPPENED, "slow")
    pushing = asyncio.create_task(push(services, slow, "once"))
    await asyncio.sleep(0)
    await note(services, IT_HAPPENED, "other")
    async with services.of(Unsent).running({IT_HAPPENED: say_again}):
        await eventually(lambda: page.heard == ["again other"])
        may_go_on.set()
        await pushing
        await nothing_is_noted(services.settings)
    assert ["again other", "once"] == page.heard


async def test_it_waits_for_a_journal_that_stays_away_and_for_a_database_that_is_busy(
    soon: None, impatient: None, services: Services, logged: Callable[[], str]
):
    page = tab(services.hub)
    publication_id = await note(services)
    with journal_away(services.hub):
        async with services.of(Unsent).running({IT_HAPPENED: say_again}):
            await eventually(lambda: "the journal is away" in logged())
            assert [(publication_id, IT_HAPPENED)] == rows(services.settings, NOTED)
    assert not page.heard
    async with others_write(services.settings), services.of(Unsent).running({IT_HAPPENED: say_again}):
        await eventually(lambda: "the database cannot be used" in logged())
    async with services.of(Unsent).running({IT_HAPPENED: say_again}):
        await nothing_is_noted(services.settings)
    assert ["again "] == page.heard


async def test_what_was_left_while_the_journal_was_away_need_not_get_old(
    soon: None, services: Services, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(unsent, "AGAIN_AFTER_S", 3_600)
    page = tab(services.hub)
    async with services.of(Unsent).running({IT_HAPPENED: say_again}):
        with journal_away(services.hub):
            await push(services, await note(services), "here")
        await eventually(lambda: ["here", "again "] == page.heard)
        await nothing_is_noted(services.settings)


async def test_a_node_whose_journal_is_away_claims_nothing(soon: None, services: Services, monkeypatch: pytest.MonkeyPatch):
    looked = []

    def away() -> Health:
        looked.append(1)
        return Health("away")

    await note(services)
    before = rows(services.settings, "SELECT at FROM unsent")
    with monkeypatch.context() as gone:
        gone.setattr(services.hub.journal, "health", away)
        async with services.of(Unsent).running({IT_HAPPENED: say_again}):
            await asyncio.sleep(unsent.AGAIN_AFTER_S)
            known = len(looked)
            await eventually(lambda: len(looked) > known + 1)
    assert before == rows(services.settings, "SELECT at FROM unsent")


async def test_a_look_that_fails_is_told_and_the_next_one_is_made(
    soon: None, services: Services, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]
):
    await note(services)
    async with services.of(Unsent).running({IT_HAPPENED: say_again}):
        with monkeypatch.context() as broken:
            broken.setattr(unsent, "timedelta", None)
            await eventually(lambda: "looking for what is to be pushed again failed" in logged())
        await nothing_is_noted(services.settings)


async def test_what_waits_for_the_journal_leaves_at_once_when_that_is_back(
    soon: None, services: Services, monkeypatch: pytest.MonkeyPatch
):
    looked = []
    page = tab(services.hub)
    await note(services)
    async with services.of(Unsent).running({IT_HAPPENED: say_again}):
        with monkeypatch.context() as gone:
            gone.setattr(services.hub.journal, "health", lambda: looked.append(1) or Health("away"))
            await eventually(lambda: looked)
            monkeypatch.setattr(unsent, "LOOK_EVERY_S", 3_600)
            before = len(looked)
            await eventually(lambda: len(looked) > before + 2)
            await asyncio.sleep(unsent.AGAIN_AFTER_S)
            assert not page.heard
        await eventually(lambda: ["again "] == page.heard)
        await nothing_is_noted(services.settings)
