"""What is sent to somebody who is away waits for the next connect: once, in order, whatever happens in between."""

import asyncio
import signal
import sys
from collections import Counter
from datetime import timedelta
from time import monotonic

import msgspec
import pytest
from sqlalchemy import insert

from api_tests.cli.command import Operator
from api_tests.client import ApiClient, SocketClient
from api_tests.db.beside import rows, storing
from api_tests.features.post import LISTS, posting, see, visit
from api_tests.features.screen import ESCAPED, XSS, Screen
from api_tests.hub.recording import tab
from api_tests.server import ADMIN_KEY, SECRET, run_server
from api_tests.waiting import MS, SOON_S, eventually
from app.auth.tokens import Tokens
from app.features import away
from app.features.notifications.model import NotificationRow
from app.features.users import ensure_users
from app.hub.hub import Hub
from app.kernel.clock import utc_now
from app.kernel.ids import new_id

MARKED = "SELECT count(*) FROM notifications WHERE delivered_at IS NOT NULL"
BOTH = pytest.mark.parametrize("table", LISTS)


@pytest.fixture
async def server(settings):
    async with run_server(msgspec.structs.replace(settings, socket_rate_per_s=10_000, socket_burst=10_000)) as running:
        yield running


@pytest.fixture
async def post(server, table):
    async with posting(server, table) as one:
        yield one


# -- once, in order ----------------------------------------------------------------------------------------------------
@BOTH
async def test_what_was_sent_meanwhile_comes_with_the_next_connect_in_order_and_once(server, post):
    sent = [(await post.send(f"{number} {XSS}"), f"{number} {ESCAPED}") for number in range(3)]
    async with server.socket("ada") as page:
        on_top = post.table == "notifications"
        assert (sent[::-1] if on_top else sent) == (await post.shown(page)).items
        await post.nothing_waits_for(page)
    async with server.socket("ada") as page:
        await post.nothing_waits_for(page)
    await post.marked(5)


@BOTH
async def test_two_pages_that_come_at_once_are_both_told_once_and_nobody_else_is(server, post):
    one = await post.send("news")
    async with server.socket("zoe") as zoe, server.socket() as nobody, server.socket("ada") as page, server.socket("ada") as other:
        assert [[one], [one]] == [(await post.shown(each)).ids for each in (page, other)]
        await post.nothing_waits_for(page, other, zoe, nobody)


@BOTH
async def test_who_signs_in_on_an_open_page_has_arrived(server, post):
    one = await post.send("news")
    async with server.socket() as page:
        await post.nothing_waits_for(page)
        await page.ask("authenticate", {"token": server.token("ada")})
        assert [one] == (await post.shown(page)).ids


@BOTH
async def test_what_was_pushed_to_a_page_that_was_there_is_not_pushed_at_the_next_connect(server, post):
    async with server.socket("ada") as page:
        await post.send("news")
        assert ["news"] == (await post.shown(page)).texts
        async with server.socket("ada") as at_once:  # its mark may not be written yet
            await post.nothing_waits_for(at_once)
    await post.marked(2)
    async with server.socket("ada") as later:
        await post.nothing_waits_for(later)


async def test_on_a_plain_asgi_server_what_waited_and_what_was_pushed_come_once_too(settings):
    async with run_server(settings, socket_layer="websockets-sansio") as server, posting(server, "notifications") as post:
        await post.send("waited")
        async with server.socket("ada") as page:
            assert ["waited"] == (await post.shown(page)).texts
            await post.send("news")
            assert ["news"] == (await post.shown(page)).texts
            await post.marked(2)
        async with server.socket("ada") as page:
            await post.nothing_waits_for(page)


@BOTH
async def test_what_waits_and_what_was_pushed_are_kept_over_a_restart(settings, table):
    async with run_server(settings) as server, posting(server, table) as post:
        async with server.socket("ada") as page:
            await post.send("pushed")
            await post.shown(page)
        await server.connected(1)
        waiting = await post.send("waits")
    async with run_server(settings) as server, posting(server, table) as post, server.socket("ada") as page:
        assert [waiting] == (await post.shown(page)).ids
        await post.nothing_waits_for(page)


async def test_more_things_may_wait_than_one_look_up_reads(settings):
    waiting = [str(number) for number in range(2 * away.MAX_AT_ONCE + 100)]
    how = {"user_id": "ada", "type": "info", "title": "News", "created_at": utc_now()}
    async with storing(settings) as session:
        await ensure_users(session, ["ada"])
        await session.execute(insert(NotificationRow), [{"id": new_id(), "message": text, **how} for text in waiting])
    async with run_server(settings) as server, posting(server, "notifications") as post, server.socket("ada") as page:
        screen = Screen("#notifications")
        while len(screen.items) < len(waiting):
            screen.apply(await page.next())
        assert waiting[::-1] == screen.texts

        await post.nothing_waits_for(page)
        await post.marked(len(waiting) + 1)


# -- as it is by then --------------------------------------------------------------------------------------------------
async def test_what_was_read_or_archived_meanwhile_is_not_pushed_until_it_is_unread_again(server):
    async with posting(server, "notifications") as post:
        read, archived, waiting = [await post.send(text) for text in ("read", "archived", "waiting")]
        await post.api.put(f"/notifications/{read}/read")
        await post.api.put(f"/notifications/{archived}/archived")
        async with server.socket("ada") as page:
            message = await page.next()
            assert (f"notification-{waiting}" in message["html"], "1") == (True, message["oob"][0]["html"])
            await post.nothing_waits_for(page)
        await post.api.delete(f"/notifications/{read}/read")
        async with server.socket("ada") as page:
            assert [read] == (await post.shown(page)).ids
            await post.api.delete(f"/notifications/{archived}/archived")
            assert [archived] == (await post.shown(page)).ids  # it is on the list now, and this counts as its push
            await post.nothing_waits_for(page)
        async with server.socket("ada") as page:
            await post.nothing_waits_for(page)


async def test_a_message_that_was_edited_or_removed_meanwhile_comes_as_it_is(server):
    async with posting(server, "messages") as post:
        edited, removed = await post.send("before"), await post.send("oops")
        await post.api.call("PATCH", f"/messages/{edited}", {"message": "after"})
        await post.api.delete(f"/messages/{removed}")
        async with server.socket("ada") as page:
            assert [(edited, "after")] == (await post.shown(page)).items
            await post.nothing_waits_for(page)


# -- when things go wrong ----------------------------------------------------------------------------------------------
@BOTH
async def test_a_page_that_leaves_before_it_is_written_to_has_nothing_and_the_next_one_has_it(server, post, monkeypatch):
    """Publishing puts it into the outbox; the page leaves in the same turn of the loop, before the outbox is written."""
    leaving, publish = tab(server.hub, "ada"), Hub.publish

    async def publish_and_leave(hub, publication):
        receipt = await publish(hub, publication)
        hub.disconnect(leaving.connection, 1001, "")
        return receipt

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Hub, "publish", publish_and_leave)
        one = await post.send("news")
    assert [] == [text for text in leaving.heard if "news" in text]
    async with server.socket("ada") as page:
        assert [one] == (await post.shown(page)).ids
        await post.nothing_waits_for(page)


@BOTH
async def test_what_could_not_be_pushed_is_pushed_at_the_next_connect(server, post, monkeypatch):
    async def fail(_hub, _publication):
        raise RuntimeError("the journal is broken")

    async with server.socket("ada") as page:
        await post.nothing_waits_for(page)
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(Hub, "publish", fail)
            with pytest.raises(AssertionError, match=r"went wrong|internal_error"):
                await post.send("news")
    await server.connected(1)
    async with server.socket("ada") as page:
        assert ["news"] == (await post.shown(page)).texts


@BOTH
async def test_who_comes_while_another_look_up_is_under_way_is_looked_up_then(server, post, monkeypatch):
    publish, looked_up, may_go_on = Hub.publish, asyncio.Event(), asyncio.Event()

    async def hold_the_first(hub, publication):
        if "before" in str(publication.parts) and not looked_up.is_set():
            looked_up.set()
            await may_go_on.wait()
        return await publish(hub, publication)

    sent = [await post.send("before")]
    monkeypatch.setattr(Hub, "publish", hold_the_first)  # before anybody comes: a look-up may be quicker than the handshake here
    async with server.socket("ada"):
        await looked_up.wait()
    await server.connected(1)
    sent.append(await post.send("after"))
    async with server.socket("ada") as page:
        may_go_on.set()
        assert sent == await post.ids_shown(page, 2)
        await post.nothing_waits_for(page)


@pytest.mark.parametrize(("pause_s", "expected"), [(3600, 2), (0, 1)], ids=["before its mark", "after its mark"])
async def test_what_was_pushed_is_pushed_again_after_a_crash_only_where_its_mark_was_not_written(
    settings, tmp_path, pause_s, expected
):
    patient = f"from app.features import away; away.MARK_PAUSE_S = {pause_s}; from app.cli import main; main()"
    operator, seen = Operator(tmp_path), Counter()
    token = Tokens(SECRET, audience="wsx").issue("ada", ttl=timedelta(hours=1))
    how = {
        "program": (sys.executable, "-c", patient),
        "admin_key": ADMIN_KEY,
        "token_secret": SECRET,
        "database_url": settings.database_url,
    }
    for is_first in (True, False):
        async with operator.serves(**how) as serving, ApiClient(serving.url, ADMIN_KEY) as api:
            if is_first:
                await api.post("/notifications", {"user_ids": ["ada"], "title": "News"})
            async with SocketClient(serving.url.replace("http", "ws"), token=token) as page:
                if is_first or expected == 2:
                    await see(page, seen, "#notifications")
                if not pause_s:
                    await eventually(lambda: [(1,)] == rows(settings, MARKED))
                await api.post("/notifications", {"user_ids": ["zoe"], "title": "News"})
                await visit(page, seen, 0.5, "#notifications")
            await serving.end(signal.SIGKILL)
    assert [expected] == list(seen.values())


@BOTH
async def test_a_thing_is_told_under_its_own_id_whichever_way_it_comes(server, post):
    """So a page drops what another node pushes again, which does not know that it was pushed."""
    async with server.socket("ada") as page:
        pushed = await post.send("pushed")
        message = await page.next()
        assert pushed == message["id"]
        cursor = message["cursor"]
        missed = await post.send("missed")
        await page.next()
    async with server.socket("ada", path=f"/ws?cursor={cursor}") as page:
        assert missed == (await page.next())["id"]
    for texts in (["one"], ["two", "three"]):
        waiting = [await post.send(text) for text in texts]
        async with server.socket("ada") as page:
            message = await page.next()
            assert waiting == list(dict.fromkeys(update["id"] for update in message.get("updates", [message])))


# -- under load --------------------------------------------------------------------------------------------------------
VISITS = 120


@pytest.mark.parametrize("push_takes_s", [0, 30 * MS], ids=["at once", "a push that takes a moment"])
async def test_whatever_is_sent_while_a_page_comes_and_goes_arrives_once(server, monkeypatch, push_takes_s):
    publish = Hub.publish

    async def publish_late(hub, publication):
        await asyncio.sleep(push_takes_s)
        return await publish(hub, publication)

    if push_takes_s:
        monkeypatch.setattr(Hub, "publish", publish_late)
    seen: Counter[str] = Counter()
    async with posting(server, "notifications") as post:
        sent, over = [], asyncio.Event()

        async def sends():
            while not over.is_set():
                sent.append(await post.send(str(len(sent))))

        sending = [asyncio.create_task(sends()) for _ in range(5)]
        number = 0
        while number < VISITS or len(sent) <= VISITS:  # until there was enough of both, however slow the machine is
            number += 1
            async with server.socket("ada") as page:
                await visit(page, seen, number % 4 * 10 * MS, "#notifications")
        over.set()
        await asyncio.gather(*sending)
        until = monotonic() + SOON_S
        while len(seen) < len(sent) and monotonic() < until:  # on a busy machine the last ones take their time
            async with server.socket("ada") as page:
                await visit(page, seen, 0.5, "#notifications")
    assert len(sent) > VISITS
    assert Counter(sent) == seen
