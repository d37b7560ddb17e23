"""What publications are about is heard where they are delivered, and never stands in the way of that."""

import pytest
from msgspec.structs import replace

from api_tests.fakes import journal_away
from api_tests.hub.recording import make_hub, tab, turns
from app.hub.audience import Audience, everyone, followers_of, nobody
from app.hub.everywhere import Everywhere
from app.hub.hub import Hub
from app.hub.peers import TakeVisits, TellVisits, Visit, Visiting
from app.hub.publication import News, Part, Publication
from app.wire.update import Update


def about(kind: str, text: str = "x", audience: Audience = everyone) -> Publication:
    return Publication(text, (Part(audience, Update("#a", text, "beforeend")),), news=News(kind))


async def test_who_listens_is_called_before_and_after_and_may_change_what_is_told_here() -> None:
    hub, called = make_hub(), []
    page = tab(hub)

    def before(publication: Publication) -> Publication:
        called.append(f"before {publication.id} {page.connection.outbox.scheduled}")
        return replace(publication, parts=(Part(everyone, Update("#a", "another", "beforeend")),))

    hub.news.on("things", before=before, after=lambda publication: called.append(f"after {publication.id}"))
    await hub.publish(about("things"))
    with journal_away(hub):
        hub.deliver_here(about("things", "here"))
    await turns(2)
    assert ["another", "another"] == page.heard
    assert ["before x False", "after x", "before here True", "after here"] == called


async def test_news_that_nobody_listens_to_or_listens_to_no_more_change_nothing() -> None:
    hub = make_hub()
    page = tab(hub)
    for name in ("before", "after"):
        hub.news.on(name, **{name: lambda publication: replace(publication, parts=())})
        await hub.publish(about(name, name))
        with pytest.raises(ValueError, match="already"):
            hub.news.on(name)
        hub.news.off(name)
        await hub.publish(about(name, f"{name} off"))
    await turns(2)
    assert ["before off", "after", "after off"] == page.heard


async def test_a_listener_that_fails_keeps_nothing_from_pages(logged) -> None:
    hub = make_hub()
    page = tab(hub)

    def fail(_publication: Publication) -> Publication:
        raise ValueError("it cannot be read")

    hub.news.on("things", before=fail, after=fail)
    await hub.publish(about("things"))
    await turns(2)
    assert ["x"] == page.heard
    assert 2 == logged().count("listening to news failed")


async def test_what_travels_keeps_its_news_when_its_audience_is_looked_up() -> None:
    hub, heard = make_hub(), []
    hub.news.on("things", after=lambda publication: heard.append(publication.parts[0].audience))
    await hub.publish(about("things", audience=followers_of("ada")))
    assert [nobody] == heard


async def test_a_node_without_rooms_knows_of_no_visits() -> None:
    hub: Hub = make_hub()
    answer = Everywhere.of_one(hub).answering.answer
    assert [Visiting.NOTHING] == await answer(TellVisits("b", (Visit("lobby", "ada"),), begins=True))
    assert await answer(TakeVisits(())) is None
