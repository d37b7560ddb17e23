"""Publications that are for a while only: who comes later is not told of them."""

from api_tests.hub.recording import turns
from api_tests.hub.returned import Returned, hub_ahead
from api_tests.waiting import eventually
from app.hub import publication as publications
from app.hub.audience import everyone
from app.hub.paced import Paced, PacedCounts
from app.hub.publication import Publication, Receipt, encode, one
from app.hub.returning import Back
from app.journal.port import Entry
from app.kernel.clock import monotonic
from app.wire.update import Update

ONE_AN_HOUR = 1 / 3_600


async def test_what_may_be_shown_for_a_while_only_is_not_shown_to_who_comes_back_later(monkeypatch):
    hub, _ = hub_ahead()
    start = hub.cursor()
    for text, ttl_s in (("short", 5), ("long", 60), ("for ever", 0)):
        await hub.publish(one(everyone, Update("#a", text, "beforeend"), ttl_s=ttl_s))
    at_once = Returned(hub, Back(start))
    await at_once.done()
    assert ["short", "long", "for ever"] == at_once.heard
    monkeypatch.setattr(publications, "monotonic", lambda: monotonic() + 10)
    later = Returned(hub, Back(start))
    await later.done()
    assert (["long", "for ever"], True) == (later.heard, later.is_live)


async def test_what_a_node_hears_of_too_late_it_tells_nobody():
    hub, _ = hub_ahead()
    page = Returned(hub, Back(hub.cursor()))
    await page.done()
    payload = encode(one(everyone, Update("#a", "late"), ttl_s=5))
    hub.deliver_local(Entry("c", payload, monotonic() - 10))
    hub.deliver_local(Entry("d", payload, monotonic()))
    await turns()
    assert ["late"] == page.heard


async def test_what_waits_longer_than_it_may_is_dropped_and_the_others_have_the_time_that_is_left(monkeypatch):
    sent: list[tuple[str, int]] = []

    async def publish(publication: Publication) -> Receipt:
        sent.append((publication.parts[0].update.html, publication.ttl_s))
        return Receipt(publication.id, 0, 0)

    queue = Paced("feed", publish, max_per_s=ONE_AN_HOUR)
    for word, ttl_s in (("first", 0), ("short", 5), ("long", 60), ("for ever", 0)):
        queue.put(one(everyone, Update("#feed", word), ttl_s=ttl_s))
    await eventually(lambda: [("first", 0)] == sent)
    monkeypatch.setattr(publications, "monotonic", lambda: monotonic() + 10)
    await queue.drain()
    assert [("first", 0), ("long", 50), ("for ever", 0)] == sent
    assert PacedCounts(waiting=0, sent=3, failed=0, refused=0, expired=1) == queue.counts()
