"""Where a page is, is kept with its connection alone. What was near it meanwhile it is told, or that this is not known."""

from typing import Any

import pytest

from api_tests.hub.recording import make_hub, turns
from api_tests.hub.returned import ADA, Returned, say
from app.hub import touched as touched_module
from app.hub.audience import AllOf, Except, everyone, near, users
from app.hub.geometry import Place
from app.hub.hub import Hub
from app.hub.publication import one
from app.hub.returning import Back
from app.wire.update import Update

HERE, HERE_ABOUTS = Place(52.5, 13.4), near(52.5, 13.4, 5)


async def located(hub: Hub) -> Returned:
    """A page that has said where it is."""
    page = Returned(hub, Back(None))
    await page.done()
    hub.registry.locate(page.connection, HERE)
    return page


async def back(hub: Hub, page: Returned, cursor: str, *, is_gone: bool = True) -> Returned:
    """The page, back from this place on."""
    if is_gone:
        hub.disconnect(page.connection, 1006, "")
    again = Returned(hub, await hub.returning.recognise(cursor, hub.returning.ids.of(page.connection.id), ADA))
    await again.done()
    return again


def said(page: Returned) -> list[Any]:
    """How it was told that it is: resumed or not, and the targets of a gap."""
    return [message.get("targets", message.get("resumed")) for message in page.sink.messages if "type" in message]


async def test_what_was_near_a_page_that_is_away_is_a_gap_that_names_it_and_all_else():
    hub = make_hub()
    page = await located(hub)
    start = hub.cursor()
    await say(hub, "for all", target="#feed")
    await hub.publish(one(HERE_ABOUTS, Update("#local-events", "x", "beforeend")))
    await hub.publish(one(users("bob"), Update("#bob", "x")))
    again = await back(hub, page, start)
    assert ([False, ["#feed", "#local-events"]], []) == (said(again), again.heard)
    await say(hub, "live")
    await turns()
    assert (["live"], (1, 0)) == (again.heard, (hub.returning.counts.gaps, hub.returning.counts.resumed))


async def test_where_nothing_depends_on_the_place_all_is_told():
    hub = make_hub()
    page = await located(hub)
    await hub.publish(one(HERE_ABOUTS, Update("#local-events", "heard before")))
    start = hub.cursor()
    await say(hub, "1")
    for audience in (AllOf((HERE_ABOUTS, users("bob"))), Except(users("bob"), HERE_ABOUTS)):
        await hub.publish(one(audience, Update("#a", "for bob")))
    await hub.publish(one(AllOf((users("ada"), Except(everyone, AllOf((HERE_ABOUTS, users("bob")))))), Update("#a", "2")))
    again = await back(hub, page, start)
    assert ([True], ["1", "2"]) == (said(again), again.heard)


async def test_whoever_was_not_there_may_have_heard_what_those_who_were_did_not():
    hub = make_hub()
    page = await located(hub)
    start = hub.cursor()
    await hub.publish(one(Except(everyone, HERE_ABOUTS), Update("#far", "x")))
    assert [False, ["#far"]] == said(await back(hub, page, start))


async def test_a_page_whose_old_connection_seems_open_keeps_its_place():
    hub = make_hub()
    page = await located(hub)
    start = hub.cursor()
    await hub.publish(one(HERE_ABOUTS, Update("#local-events", "near", "beforeend")))
    await hub.publish(one(near(10, 13.4, 5), Update("#local-events", "far", "beforeend")))
    again = await back(hub, page, start, is_gone=False)
    await hub.publish(one(HERE_ABOUTS, Update("#local-events", "live", "beforeend")))
    await turns()
    assert ([True], ["near", "live"], HERE) == (said(again), again.heard, again.connection.place)


async def test_a_page_that_the_site_has_put_somewhere_else_stays_there():
    hub = make_hub()
    elsewhere = Place(10, 10)
    page = await located(hub)
    hub.on_connection(lambda connection: hub.registry.locate(connection, elsewhere))
    again = await back(hub, page, hub.cursor(), is_gone=False)
    assert elsewhere == again.connection.place


async def test_a_page_that_was_cut_off_again_is_told_still_and_no_longer_once_it_has_heard_it():
    hub = make_hub()
    page = await located(hub)
    start = hub.cursor()
    await hub.publish(one(HERE_ABOUTS, Update("#local-events", "x")))
    again = await back(hub, page, start)
    once_more = await back(hub, again, start)
    assert [False, ["#local-events"]] == said(once_more)
    here = hub.cursor()
    await hub.publish(one(HERE_ABOUTS, Update("#local-events", "it has not said again where it is")))
    assert [True] == said(await back(hub, once_more, here))


async def test_where_it_is_not_known_any_more_what_was_near_it_may_have_been_any(monkeypatch: pytest.MonkeyPatch):
    hub = make_hub()
    page = await located(hub)
    start = hub.cursor()
    monkeypatch.setattr(touched_module, "MAX_WEIGHT", 0)
    await say(hub, "x")
    assert [False, []] == said(await back(hub, page, start))
