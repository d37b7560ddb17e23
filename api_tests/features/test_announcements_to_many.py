"""Announcements that concern many, and many at once: what is published stays small."""

import pytest

from api_tests.client import ApiClient
from api_tests.clock import Clock
from api_tests.features.announcing import LATER_S, announce, change, later, shown
from api_tests.features.following import follow
from api_tests.features.screen import Screen, fragments
from api_tests.server import Running
from app.features.announcements import view
from app.features.announcements.service import GONE_AT_ONCE
from app.features.dashboard import service as dashboard
from app.hub import publication
from app.hub.audience import Audience, everyone, users
from app.kernel.ids import new_id
from app.wire.update import MAX_OOB

FOLLOWERS = {"kind": "followers_of", "user_id": "ada"}


@pytest.fixture(autouse=True)
def dashboard_that_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that pages hear of announcements only."""
    monkeypatch.setattr(dashboard, "PAUSE_S", 3600)


async def said(server: Running, head: str) -> list[Audience]:
    """To whom something was published since."""
    entries = await server.hub.journal.read(head, 100)
    return [part.audience for entry in entries for part in publication.decode(entry.payload).parts]


async def test_what_is_published_names_only_followers_who_are_there_and_the_board_all(server: Running, api: ApiClient) -> None:
    await follow(api, ("zoe", "ada"), ("bob", "ada"), ("cleo", "ada"))
    async with server.socket("zoe") as zoe, server.socket("bob") as bob, server.socket("eve"):
        head = server.hub.journal.head()
        made = await announce(api, audience=FOLLOWERS)
        await change(api, made, message="Cake")
        other = await announce(api)
        head_of_move = server.hub.journal.head()
        await change(api, other, audience=FOLLOWERS)
        there = users("zoe", "bob")
        assert [there, there] == (await said(server, head))[:2]
        assert [everyone, there] == await said(server, head_of_move)
        for page in (zoe, bob):
            screen = Screen("#announcements")
            while ["Free coffee", "Cake"] != screen.texts:
                await shown(page, screen)
    async with server.socket("cleo") as cleo:
        assert [other["id"], made["id"]] == (await shown(cleo)).ids


async def test_many_that_end_at_once_leave_the_screens_by_few_messages(clock: Clock, server: Running, api: ApiClient) -> None:
    count = GONE_AT_ONCE + 2
    async with server.socket("ada") as page:
        moment = later()
        screen = Screen("#announcements")
        for _ in range(count):
            await announce(api, expires_at=moment)
            await shown(page, screen)
        assert count == len(screen.ids)
        clock.skip(LATER_S)
        sizes = []
        while screen.ids:
            message = await page.next()
            sizes.append(len(list(fragments(message))))
            screen.apply(message)
        assert [GONE_AT_ONCE, 2] == sizes
        await api.broadcast("marker")
        await page.hears_nothing_but("marker")


def test_one_update_takes_down_as_many_as_it_may_hold() -> None:
    ids = [new_id() for _ in range(1 + MAX_OOB)]
    told = publication.decode(publication.encode(publication.one(everyone, view.gone(*ids)))).parts[0].update
    assert [f"#announcement-{one}" for one in ids] == [told.target, *(part.target for part in told.oob)]
    assert {("", "delete")} == {(part.html, part.swap) for part in (told, *told.oob)}
