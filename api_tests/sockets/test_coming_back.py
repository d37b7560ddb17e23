"""`/ws?cursor=…&session=…`: what a page that comes back is told, and what it has again."""

import msgspec
import pytest

from api_tests.client import ApiClient
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.sockets.returning import Visitor, away
from app import Connection, Reply, Request, wsx
from app.hub.audience import any_of, connections, everyone, except_, rooms, users
from app.hub.close import Close
from app.settings import Settings
from app.wire.update import Update

EPOCH_OF_BEFORE = "00000000001-000000000005"
NO_CURSORS = ["x", "%00", EPOCH_OF_BEFORE, "\u0660" * 20, "x" * 5_000, "0196d1f0a3c-00000000000 ", "-"]


async def test_what_was_missed_comes_first_in_order_and_once_and_then_all_the_rest(server: Running) -> None:
    visitor = Visitor(server, "ada")
    async with visitor.visit():
        await wsx.broadcast("#a", "1")
    await away(visitor)
    visitor.heard.clear()
    for number in ("2", "3"):
        await wsx.broadcast("#a", number, "beforeend")
    await wsx.send_to_user("bob", "#a", "for bob")
    await wsx.send_to_user("ada", "#a", "4", "beforeend")
    async with visitor.visit() as page:
        assert page.hello["resumed"]
        await wsx.broadcast("#a", "5", "beforeend")
        await page.hear("5")
    assert ["1", "2", "3", "4", "5"] == visitor.heard[-5:]
    assert [] == visitor.gaps


async def test_a_page_that_missed_nothing_is_live_at_once_and_told_that_all_is_well(server: Running) -> None:
    visitor = Visitor(server)
    async with visitor.visit() as first:
        assert not first.hello["resumed"]
    async with visitor.visit() as again:
        assert (True, first.hello["cursor"]) == (again.hello["resumed"], again.hello["cursor"])
        await wsx.broadcast("#a", "live")
        await again.hear("live")
    assert ["live"] == visitor.heard


@pytest.mark.parametrize("cursor", NO_CURSORS)
async def test_a_place_that_nobody_knows_is_one_gap_that_may_be_anything_and_then_live(server: Running, cursor: str) -> None:
    await wsx.broadcast("#a", "not told: it might not be all")
    visitor = Visitor(server)
    visitor.cursor = cursor
    async with visitor.visit() as page:
        assert not page.hello["resumed"]
        await wsx.broadcast("#a", "live")
        await page.hear("live")
    assert ["live"] == visitor.heard
    assert [{"type": "gap", "cursor": page.hello["cursor"], "targets": []}] == visitor.gaps


async def test_an_empty_cursor_is_none(server: Running) -> None:
    async with server.socket(path="/ws?cursor=&session=") as page:
        assert not page.hello["resumed"]
        await wsx.broadcast("#a", "live")
        assert "live" == (await page.next())["html"]


async def test_a_client_that_knows_no_cursors_is_shown_what_it_missed_and_told_of_no_gap(server: Running) -> None:
    cursor = server.hub.cursor()
    await wsx.broadcast("#a", "missed")
    for path, expected in ((f"/ws?cursor={cursor}", ["missed", "live"]), ("/ws?cursor=x", ["live"])):
        async with server.socket(v1=False, path=path) as page:
            await wsx.broadcast("#a", "live")
            heard = [
                message["html"] for message in [await page.next() for _ in range(len(expected) + 1)] if message["target"] == "#a"
            ]
            assert expected == heard
            await page.raw.close()
        await server.connected(0)
        cursor = server.hub.cursor()


async def test_of_a_batch_only_that_comes_which_the_page_may_hear(server: Running) -> None:
    cursor = server.hub.cursor()
    parts = [(users(name), Update("#a", f"for {name}")) for name in ("ada", "bob")]
    await wsx.batch([*parts, (everyone, Update("#a", "for all"))])
    visitor = Visitor(server, "bob")
    visitor.cursor = cursor
    async with visitor.visit() as page:
        await page.hear("for all")
    assert ["for bob", "for all"] == visitor.heard


async def test_updates_that_replace_each_other_collapse_and_the_place_is_that_of_the_last(server: Running) -> None:
    visitor = Visitor(server)
    async with visitor.visit():
        pass
    await away(visitor)
    for number in range(500):
        await wsx.broadcast("#a", str(number))
    async with visitor.visit() as page:
        await page.hear("499")
    assert (["499"], server.hub.cursor()) == (visitor.heard, visitor.cursor)


async def test_the_ring_that_does_not_reach_back_names_what_was_touched_for_this_page(settings: Settings) -> None:
    async with run_server(msgspec.structs.replace(settings, replay_entries=2)) as server:
        ada, bob = Visitor(server, "ada"), Visitor(server, "bob")
        for visitor in (ada, bob):
            async with visitor.visit():
                pass
        await away(ada)
        for number in range(4):
            await wsx.send_to_user("ada", f"#{number}", "x")
        async with ada.visit() as page:
            assert not page.hello["resumed"]
            await page.next()
        assert [{"type": "gap", "cursor": page.hello["cursor"], "targets": ["#0", "#1", "#2", "#3"]}] == ada.gaps
        async with bob.visit() as page:
            assert page.hello["resumed"]  # what is gone was for others
            await wsx.broadcast("#a", "live")
            await page.hear("live")
        assert (["live"], []) == (bob.heard, bob.gaps)


async def test_a_page_that_was_rendered_at_a_place_misses_nothing_before_it_is_connected(server: Running) -> None:
    async with ApiClient(server.url, ADMIN_KEY) as api:
        cursor = (await api.get("/cursor")).json()
        weak = await api.key_with("metrics:read")
    async with ApiClient(server.url, weak) as api:
        assert cursor == (await api.get("/cursor")).json()
    assert {"cursor": server.hub.cursor()} == cursor
    await wsx.broadcast("#a", "meanwhile")
    visitor = Visitor(server)
    visitor.cursor = cursor["cursor"]
    async with visitor.visit() as page:
        await page.hear("meanwhile")
        assert page.hello["resumed"]


async def test_what_is_sent_to_one_page_waits_behind_what_that_page_missed(server: Running) -> None:
    @wsx.on("hello")
    async def greet(_request: Request, _connection: Connection) -> Reply:
        return Reply("answer")

    @server.hub.on_connection
    def welcome(connection: Connection) -> None:
        connection.send(Update("#a", "welcome", "beforeend"))

    visitor = Visitor(server)
    async with visitor.visit() as page:
        await page.hear("welcome")
    await away(visitor)
    visitor.heard.clear()
    await wsx.broadcast("#a", "missed", "beforeend")
    async with visitor.visit() as page:
        await page.say({"id": "1", "handler": "hello", "target": "#a"})
        await page.hear("answer")
    assert ["missed", "welcome", "answer"] == visitor.heard


# -- sessions ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("user_id", ["ada", None])
async def test_rooms_and_notes_come_back_and_what_was_said_in_the_rooms(server: Running, notes: None, user_id: str | None) -> None:
    visitor = Visitor(server, user_id)
    async with visitor.visit() as page:
        await page.ask("keep", {"what": [1, "x"]})
    await away(visitor)
    await wsx.send_to_room("hall", "#a", "missed")
    async with visitor.visit() as page:
        await page.hear("missed")
        assert page.hello["resumed"]
        assert "{&#34;kept&#34;: [1, &#34;x&#34;]} hall" == (await page.ask("recall"))["html"]


async def test_a_page_that_is_back_before_its_old_socket_is_gone_has_them_too(server: Running, notes: None) -> None:
    visitor = Visitor(server, "ada")
    async with visitor.visit() as old:
        await old.ask("keep", {"what": 1})
        async with visitor.visit() as page:
            assert page.hello["resumed"]
            assert "{&#34;kept&#34;: 1} hall" == (await page.ask("recall"))["html"]
            assert (4403, "this page is back by another connection") == await old.closed()
            await server.connected(1)


@pytest.mark.parametrize(("whose", "by"), [("ada", "bob"), ("ada", None), (None, "ada")])
@pytest.mark.parametrize("is_open", [True, False])
async def test_a_session_is_for_its_own_user(
    server: Running, notes: None, whose: str | None, by: str | None, is_open: bool
) -> None:
    visitor = Visitor(server, whose)
    async with visitor.visit() as page:
        await page.ask("keep", {"what": 1})
        if not is_open:
            await page.raw.close()
            await away(visitor)
        await wsx.send_to_room("hall", "#a", "not for others")
        async with visitor.visit(user_id=by) as other:
            assert not other.hello["resumed"]
            assert "gap" == (await other.next())["type"]
            assert "{} " == (await other.ask("recall"))["html"]
    assert "not for others" not in visitor.heard


@pytest.mark.parametrize("why", [Close.BACK_OFFICE, Close.TOKEN_ENDED, Close.NOT_ALLOWED])
async def test_whoever_was_sent_away_has_no_session_left(server: Running, notes: None, why: Close) -> None:
    visitor = Visitor(server, "ada")
    async with visitor.visit() as page:
        await page.ask("keep", {"what": 1})
        server.hub.close(wsx.connection(page.id), why)
        await page.closed()
    async with visitor.visit() as page:
        assert not page.hello["resumed"]
        assert "gap" == (await page.next())["type"]
        assert "{} " == (await page.ask("recall"))["html"]


@pytest.mark.parametrize("session", ["x", "", "0" * 64, "x" * 5_000, "%00%FF"])
async def test_a_session_that_we_have_not_made_is_a_new_page_that_may_have_missed_anything(server: Running, session: str) -> None:
    visitor = Visitor(server, "ada")
    visitor.cursor, visitor.session = server.hub.cursor(), session or None
    async with visitor.visit() as page:
        assert (not session) == page.hello["resumed"]


async def test_what_was_for_all_but_one_page_is_not_for_that_page_when_it_is_back(server: Running) -> None:
    visitor = Visitor(server, "ada")
    async with visitor.visit() as page:
        before = page.id
    await away(visitor)
    await wsx.publish(except_(everyone, connections(before)), Update("#a", "to the others"))
    await wsx.publish(any_of(connections(before), rooms("x")), Update("#a", "to this one"))
    async with visitor.visit() as page:
        await page.hear("to this one")
    assert ["to this one"] == visitor.heard
