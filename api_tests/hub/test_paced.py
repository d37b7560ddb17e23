"""The paced broadcaster: in order, never too fast, bounded, and nothing that it took is lost."""

import asyncio
from collections.abc import Callable
from math import inf, nan

import pytest

from api_tests.hub.recording import make_hub, tab, turns
from api_tests.waiting import MS, eventually
from app.hub import paced
from app.hub.audience import Audience, Users, everyone, signed_in
from app.hub.face import NotRunning, Wsx
from app.hub.paced import Paced, PacedCounts, QueueFull
from app.hub.publication import Publication, Receipt, one
from app.kernel.clock import monotonic
from app.kernel.errors import Unavailable
from app.kernel.transaction import PublishedInsideTransaction, marked_open
from app.wire.update import Update

ONE_AN_HOUR = 1 / 3_600
THOUSANDS = 10_000.0


class Press:
    """What a queue publishes to. `held` set: it waits for `go_on` in the middle of each publication."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.sent: list[str] = []
        self.times: list[float] = []
        self.broken: set[str] = set()
        self.held = False
        self.go_on = asyncio.Event()

    async def publish(self, publication: Publication) -> Receipt:
        word = publication.parts[0].update.html
        self.began.append(word)
        self.times.append(monotonic())
        if word in self.broken:
            message = f"the journal cannot take {word}"
            raise OSError(message)
        if self.held:
            await self.go_on.wait()
        await asyncio.sleep(0)
        self.sent.append(word)
        return Receipt(publication.id, 0, 0)


def say(queue: Paced, *words: str) -> list[str]:
    """Queue these words; their publications' ids."""
    return [queue.broadcast("#feed", word, "afterbegin") for word in words]


async def test_what_is_queued_goes_out_in_order_and_not_faster_than_the_pace():
    press = Press()
    queue = Paced("feed", press.publish, max_per_s=100)
    say(queue, *"abcde")
    await eventually(lambda: len(press.sent) == 5)
    assert [*"abcde"] == press.sent
    pauses = [later - earlier for earlier, later in zip(press.times, press.times[1:], strict=False)]
    assert min(pauses) >= 9.5 * MS  # also between the first two
    assert press.times[-1] - press.times[0] >= 39.5 * MS
    assert PacedCounts(waiting=0, sent=5, failed=0, refused=0) == queue.counts()


async def test_the_task_ends_with_the_queue_and_starts_again_at_the_same_pace():
    press = Press()
    queue = Paced("feed", press.publish, max_per_s=50)
    assert queue._task is None
    say(queue, "a")
    first = queue._task
    await eventually(first.done)
    say(queue, "b")
    second = queue._task
    assert first is not second
    await eventually(second.done)
    assert ["a", "b"] == press.sent
    assert press.times[1] - press.times[0] >= 19.5 * MS


async def test_a_task_that_was_cut_off_is_replaced():
    press = Press()
    queue = Paced("feed", press.publish, max_per_s=THOUSANDS)
    say(queue, "a")
    queue._task.cancel()  # as when the loop that it ran in has ended
    await turns(2)
    assert [] == press.sent
    say(queue, "b")
    await eventually(lambda: press.sent == ["a", "b"])


async def test_a_full_queue_takes_no_more_and_says_when_to_try_again():
    press = Press()
    queue = Paced("feed", press.publish, max_per_s=ONE_AN_HOUR, max_waiting=2)
    say(queue, "a")
    await eventually(lambda: queue.counts().waiting == 0)
    say(queue, "b", "c")
    for _ in range(2):
        with pytest.raises(QueueFull, match="2 broadcasts wait in the queue 'feed'") as refused:
            say(queue, "d")
    assert ("queue_full", 503, {"Retry-After": "3600"}) == (refused.value.code, refused.value.status, refused.value.headers)
    assert PacedCounts(waiting=2, sent=1, failed=0, refused=2) == queue.counts()
    await queue.drain()
    assert [*"abc"] == press.sent


async def test_a_publication_that_fails_is_logged_and_the_next_one_goes_out(logged: Callable[[], str]):
    press = Press()
    press.broken = {"b"}
    queue = Paced("feed", press.publish, max_per_s=THOUSANDS)
    failing = say(queue, *"abc")[1]
    await eventually(queue._task.done)
    assert (["a", "c"], PacedCounts(0, 2, 1, 0)) == (press.sent, queue.counts())
    lines = logged()
    assert 1 == lines.count("paced broadcast failed")
    assert all(part in lines for part in ('"queue":"feed"', failing, "the journal cannot take b"))


async def test_each_knows_how_many_go_before_it():
    press = Press()
    queue = Paced("feed", press.publish, max_per_s=ONE_AN_HOUR)
    first, second, third = say(queue, *"abc")
    assert [0, 1, 2, None] == [queue.place_of(one_id) for one_id in (first, second, third, "unknown")]
    await eventually(lambda: queue.counts().waiting == 2)
    assert [None, 0, 1] == [queue.place_of(one_id) for one_id in (first, second, third)]
    await queue.drain()


async def test_draining_sends_all_that_waits_at_once():
    press = Press()
    queue = Paced("feed", press.publish, max_per_s=ONE_AN_HOUR)
    await queue.drain()
    say(queue, *"abc")
    await eventually(lambda: queue._pause is not None)
    await queue.drain()
    assert ([*"abc"], 0) == (press.sent, queue.counts().waiting)
    say(queue, "d")
    await turns(5)
    assert [*"abc"] == press.sent  # the pace is what it was
    await queue.drain()


async def test_draining_before_the_first_turn():
    press = Press()
    queue = Paced("feed", press.publish, max_per_s=ONE_AN_HOUR)
    say(queue, *"ab")
    await queue.drain()
    assert [*"ab"] == press.sent


async def test_what_is_on_its_way_when_the_server_stops_is_sent_once_and_what_comes_meanwhile_too():
    press = Press()
    press.held = True
    queue = Paced("feed", press.publish, max_per_s=ONE_AN_HOUR)
    say(queue, *"ab")
    await eventually(lambda: press.began == ["a"])
    draining = asyncio.create_task(queue.drain())
    await turns(3)
    say(queue, "c")
    press.go_on.set()
    await draining
    assert ([*"abc"], [*"abc"]) == (press.began, press.sent)
    assert PacedCounts(0, 3, 0, 0) == queue.counts()


async def test_while_it_drains_other_work_has_its_turn():
    hub = make_hub()
    queue = hub.paced("feed", max_per_s=ONE_AN_HOUR)
    say(queue, *map(str, range(100)))
    draining = asyncio.create_task(queue.drain())
    waited: list[int] = []
    while not draining.done():
        await turns()
        waited.append(queue.counts().waiting)
    assert len(waited) >= 100


async def test_draining_may_be_given_up():
    press = Press()
    press.held = True
    queue = Paced("feed", press.publish, max_per_s=ONE_AN_HOUR)
    say(queue, *"ab")
    draining = asyncio.create_task(queue.drain())
    await eventually(lambda: press.began == ["a"])
    draining.cancel()
    await asyncio.gather(draining, return_exceptions=True)
    press.go_on.set()
    await eventually(lambda: press.sent == ["a"])
    await turns(3)
    assert PacedCounts(1, 1, 0, 0) == queue.counts()
    await queue.drain()


@pytest.mark.parametrize(("max_per_s", "max_waiting"), [(0, 1), (-1, 1), (nan, 1), (inf, 1), (5, 0), (5, -1)])
def test_a_pace_that_is_none_is_refused(max_per_s: float, max_waiting: int):
    with pytest.raises(ValueError, match="max_per_s must be a number above 0"):
        Paced("feed", Press().publish, max_per_s=max_per_s, max_waiting=max_waiting)
    with pytest.raises(ValueError, match="max_per_s must be a number above 0"):
        Wsx().paced(max_per_s, max_waiting=max_waiting)


async def test_nothing_is_queued_of_what_may_be_rolled_back():
    queue = Paced("feed", Press().publish, max_per_s=5)
    with marked_open(), pytest.raises(PublishedInsideTransaction):
        say(queue, "a")
    assert (0, None) == (queue.counts().waiting, queue._task)


@pytest.mark.parametrize(("audience", "target"), [(Users(frozenset()), "#a"), (everyone, "")])
async def test_what_is_over_a_limit_is_refused_while_somebody_listens(audience: Audience, target: str):
    queue = Paced("feed", Press().publish, max_per_s=5)
    with pytest.raises(ValueError, match="Expected"):
        queue.publish(audience, Update(target, "x"))
    assert (PacedCounts(0, 0, 0, 0), None) == (queue.counts(), queue._task)


async def test_a_queue_has_a_name_of_its_own_because_metrics_go_by_it():
    face, hub, other_hub = Wsx(), make_hub(), make_hub()
    face.paced(5)
    feed = face.paced(5, name="feed")
    with pytest.raises(ValueError, match="there is a paced queue 'feed' already"):
        face.paced(5, name="feed")
    hub.paced("feed", max_per_s=5)
    with pytest.raises(ValueError, match="'feed' already"):
        hub.paced("feed", max_per_s=5)
    with pytest.raises(ValueError, match="'feed' already"):
        face.bind(hub)
    with pytest.raises(NotRunning):
        assert face.hub
    other_hub.paced("another", max_per_s=5)
    face.bind(other_hub)
    with pytest.raises(ValueError, match="'another' already"):
        face.paced(5, name="another")
    assert ["another", "paced-1", "feed"] == [queue.name for queue in other_hub.paced_queues]
    assert feed is other_hub.paced_queues[2]
    assert "paced-3" == face.paced(5).name


async def test_it_reaches_the_pages_of_its_audience():
    hub = make_hub()
    ada, nobody = tab(hub, "ada"), tab(hub)
    queue = hub.paced("feed", max_per_s=THOUSANDS, max_waiting=5)
    assert [queue] == hub.paced_queues
    queue.publish(signed_in, Update("#a", "1"))
    queue.broadcast("#a", "2", audience=everyone)
    published = one(signed_in, Update("#a", "3"))
    assert published.id == queue.put(published)
    await eventually(lambda: ada.heard == ["1", "2", "3"])
    assert ["2"] == nobody.heard
    assert published.id == hub.receipts[published.id].id


async def test_a_queue_that_is_made_at_import_serves_one_server_after_the_other(logged: Callable[[], str]):
    face = Wsx()
    early = face.paced(THOUSANDS)
    first = make_hub()
    page = tab(first)
    face.bind(first)
    late = face.paced(THOUSANDS, name="late")
    assert (["paced-1", "late"], [early, late]) == ([queue.name for queue in first.paced_queues], first.paced_queues)
    for queue in (early, late):
        say(queue, queue.name)
    await eventually(lambda: len(page.heard) == 2)
    assert {"paced-1", "late"} == set(page.heard)
    face.unbind()
    say(early, "nobody is there")
    await eventually(lambda: early.counts().failed == 1)
    assert "no server runs in this process" in logged()
    second = make_hub()
    page = tab(second)
    face.bind(second)
    assert [early, late] == second.paced_queues
    say(late, "again")
    await eventually(lambda: page.heard == ["again"])


async def test_what_is_queued_keeps_its_turn_while_the_journal_is_away(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(paced, "RETRY_S", 5 * MS)
    press = Press()
    away = True

    async def publish(publication: Publication) -> Receipt:
        if away:
            raise Unavailable("the journal is away")
        return await press.publish(publication)

    queue = Paced("feed", publish, max_per_s=THOUSANDS)
    say(queue, "a", "b")
    await asyncio.sleep(0)
    await eventually(lambda: queue._next_at > 0)
    assert 2 == queue.counts().waiting
    away = False
    await eventually(lambda: press.sent == ["a", "b"])
    away = True
    say(queue, "c")
    await queue.drain()
    assert PacedCounts(waiting=0, sent=2, failed=1, refused=0) == queue.counts()
