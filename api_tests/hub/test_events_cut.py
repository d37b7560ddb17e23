"""A stream that is cut off among the events of one publication: it is shown the rest, and nothing twice."""

from collections.abc import Callable, Sequence

import pytest

from api_tests.hub.recording import RecordingSink, make_hub
from api_tests.hub.returned import ADA
from app.hub.audience import Audience, connections, everyone, rooms, users
from app.hub.connection import Connection
from app.hub.hub import Hub
from app.hub.publication import Part, Publication
from app.wire.events import STREAMS
from app.wire.update import Update

HTML = ("<p>one</p> <p>two</p>", "<b>three</b>", "<b>four</b>")


class Stream:
    """A page that reads events."""

    def __init__(self, hub: Hub, name: str, last_id: str | None = None, session: str | None = None) -> None:
        self.hub, self.name, self.last_id, self.session = hub, name, last_id, session
        self.sink = RecordingSink()
        self.connection: Connection

    async def connected(self, room: str = "") -> "Stream":
        known = self.last_id or self.session
        back = await self.hub.returning.recognise(self.last_id, self.session, ADA) if known else None
        self.connection = self.hub.connect(self.sink, STREAMS[self.name], ADA, address="", user_agent="", back=back)
        if room:
            self.hub.registry.join(self.connection, room)
        await self.hub.delivery.writing.until_written()
        for task in tuple(self.hub.returning.running):
            await task
        await self.hub.delivery.writing.until_written()
        return self

    @property
    def updates(self) -> list[bytes]:
        """Without what is said of the connection."""
        payloads = [payload for message in self.sink.writes for payload in message.payloads]
        return [payload for payload in payloads if b"data: " in payload and b"event: " not in payload]

    @property
    def said(self) -> list[bytes]:
        """What is said of the connection: its names."""
        payloads = [payload for message in self.sink.writes for payload in message.payloads]
        return [payload.split(b"\n")[0] for payload in payloads if payload.startswith(b"event: ")]


def ids(events: Sequence[bytes]) -> list[str]:
    return [one.split(b"\n")[0].removeprefix(b"id: ").decode() for one in events]


def bare(events: Sequence[bytes]) -> list[bytes]:
    return [one.partition(b"\n")[2] for one in events]


async def publish(hub: Hub, *audiences: Audience) -> None:
    """Three updates at once, each for its audience."""
    first, *others = HTML
    updates = [Update("#a", first, "outerHTML"), *(Update("#b", html, "beforeend") for html in others)]
    parts = [Part(audience, update) for audience, update in zip(audiences, updates, strict=True)]
    await hub.publish(Publication("p1", tuple(parts), is_batch=True))
    await hub.delivery.writing.until_written()


@pytest.mark.parametrize("name", ["htmx", "turbo"])
async def test_wherever_it_was_cut_it_is_shown_the_rest_and_then_what_came_later(name: str) -> None:
    hub = make_hub()
    page = await Stream(hub, name).connected()
    await publish(hub, everyone, everyone, everyone)
    whole = page.updates
    assert {"htmx": 5, "turbo": 3}[name] == len(whole)
    assert (hub.cursor(), len(whole)) == (ids(whole)[-1], len(set(ids(whole))))
    await publish(hub, everyone, everyone, everyone)
    for count, last_id in enumerate(ids(whole), 1):
        back = await Stream(hub, name, last_id).connected()
        assert [b"event: hello"] == back.said
        assert bare(whole[count:] + whole) == bare(back.updates)
    for last_id in ids(page.updates)[len(whole) :]:  # within the newest
        back = await Stream(hub, name, last_id).connected()
        assert page.updates[ids(page.updates).index(last_id) + 1 :] == back.updates


async def test_what_it_had_is_counted_by_what_it_hears() -> None:
    hub = make_hub()
    page = await Stream(hub, "turbo").connected()
    await publish(hub, everyone, users("bob"), everyone)
    first, second = page.updates
    back = await Stream(hub, "turbo", ids([first])[0]).connected()
    assert [second] == back.updates


async def test_where_it_would_hear_something_else_now_it_is_told_a_gap() -> None:
    hub = make_hub()
    page = await Stream(hub, "turbo").connected("lobby")
    await publish(hub, rooms("lobby"), everyone, everyone)
    for last_id in ids(page.updates)[:2]:  # it is in no room any more
        back = await Stream(hub, "turbo", last_id).connected()
        assert ([b"event: hello", b"event: gap"], []) == (back.said, back.updates)


@pytest.mark.parametrize("change", [lambda last_id: last_id[:-1] + "g", lambda last_id: last_id.replace("-", "-f", 1)])
async def test_an_id_that_is_none_of_ours_is_a_gap(change: Callable[[str], str]) -> None:
    hub = make_hub()
    page = await Stream(hub, "turbo").connected()
    await publish(hub, everyone, everyone, everyone)
    back = await Stream(hub, "turbo", change(ids(page.updates)[0])).connected()
    assert [b"event: hello", b"event: gap"] == back.said


async def test_what_was_meant_for_one_connection_is_shown_to_the_page_that_was_it() -> None:
    hub = make_hub()
    page = await Stream(hub, "htmx").connected()
    session = hub.returning.ids.of(page.connection.id)
    mine = connections(page.connection.id)
    await publish(hub, mine, mine, mine)
    hub.disconnect(page.connection, 1006, "")
    back = await Stream(hub, "htmx", ids(page.updates)[1], session).connected()
    assert page.updates[2:] == back.updates


async def test_what_is_forgotten_is_a_gap() -> None:
    hub = make_hub()
    page = await Stream(hub, "turbo").connected()
    for _ in range(101):  # one more than this journal keeps
        await publish(hub, everyone, everyone, everyone)
    back = await Stream(hub, "turbo", ids(page.updates)[0]).connected()
    assert ([b"event: hello", b"event: gap"], []) == (back.said, back.updates)
