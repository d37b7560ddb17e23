"""The process is killed between the commit of a change and its push: the next one pushes it. Each kind of change."""

import asyncio
import json
import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from api_tests.cli.command import Operator, Serving
from api_tests.client import ApiClient, SocketClient
from api_tests.features.changing import CHANGES, READER, Change, make, prepare, write
from api_tests.server import ADMIN_KEY, SECRET
from api_tests.waiting import SOON_S, eventually
from app.auth.tokens import Tokens

STOPS = """
import asyncio
from pathlib import Path
from app.features import unsent
from app.features.unsent import Unsent
from app.journal.memory import MemoryJournal

unsent.AGAIN_AFTER_S, unsent.LOOK_EVERY_S = 1.0, 0.1
append, claim = MemoryJournal.append, Unsent._claim

async def stop_before_the_push(journal, payload):
    if Path("stop").exists():
        await asyncio.Event().wait()
    return await append(journal, payload)

async def look_when_told(unsent, known):
    return await claim(unsent, known) if Path("look").exists() else ()

MemoryJournal.append, Unsent._claim = stop_before_the_push, look_when_told
"""
"""A module of the site's own. With a file `stop` nothing is pushed; until there is a file `look` nothing is pushed again."""

JOINS = "req_join"

WRITTEN = Change("message.said", "", "", None, "#messages", "written to her")


def of(what: str, path: str = "") -> Change:
    return next(change for change in CHANGES if change.what == what and path in change.path)


ROUNDS = [
    [
        of("message.said"),
        of("message.edited", "{room}"),
        of("message.removed", "{private}"),
        of("notification.arrived"),
        of("notification.changed", "read"),
        of("notification.back"),
        of("announcement.published"),
    ],
    [of("notification.all-read"), of("announcement.edited"), WRITTEN],
    [of("message.edited", "{private}"), of("message.removed", "{room}"), of("announcement.moved")],
    [of("notification.changed", "archived"), of("announcement.recalled")],
]
"""One announcement at a time: changes of announcements wait for each other."""


def socket_of(serving: Serving) -> SocketClient:
    tokens = Tokens(SECRET, issuer="", audience="wsx")
    token = tokens.issue(READER["user_id"], name="Ada", roles=READER["roles"], ttl=timedelta(hours=1))
    return SocketClient(serving.url.replace("http", "ws"), token=token)


def noted(operator: Operator) -> dict[str, list[str]]:
    """What is still to be pushed, by what happened: ids, that of the push and those of the stored things."""
    with closing(sqlite3.connect(operator.database)) as connection:
        rows = connection.execute("SELECT what, id, things FROM unsent").fetchall()
    return {what: [publication_id, *json.loads(things)] for what, publication_id, things in rows}


async def changed(api: ApiClient, page: SocketClient, change: Change, ids: dict[str, str]) -> None:
    """Ask for the change. Its answer never comes."""
    if change is WRITTEN:
        await write(page, change.html)
    else:
        await make(api, change, ids)


async def told_again(page: SocketClient, changes: list[Change], ids: dict[str, list[str]], joined: Path) -> None:
    """Join the room, make the file, and return when the page was told of each change.

    Under one of the ids that were noted; of a batch a page is told no id. What waited for the user may be told before the answer.
    """
    left = list(changes)
    await page.say({"id": JOINS, "handler": "join-room", "target": "#chat", "trigger": "click", "data": {"roomId": "lobby"}})
    async with asyncio.timeout(SOON_S):
        while left:
            message = await page.next()
            if message.get("id") == JOINS:
                joined.touch()
            for change in left:
                if change.again.is_in(message) and message.get("id") in [*ids[change.what], None]:
                    left.remove(change)
                    break


@pytest.mark.parametrize("changes", ROUNDS, ids=lambda changes: changes[-1].what)
async def test_a_change_that_was_stored_is_pushed_after_the_restart(operator: Operator, changes: list[Change]):
    (operator.folder / "stops.py").write_text(STOPS)
    how = {"handlers": "stops", "admin_key": ADMIN_KEY, "token_secret": SECRET}
    async with operator.serves(**how) as killed, ApiClient(killed.url, ADMIN_KEY) as api, socket_of(killed) as page:
        ids = await prepare(api, page)
        await eventually(lambda: not noted(operator))
        (operator.folder / "stop").touch()
        asking = [asyncio.create_task(changed(api, page, change, ids)) for change in changes]
        await eventually(lambda: len(noted(operator)) == len(changes))
        lost = noted(operator)
        killed.process.kill()
        await killed.process.wait()
        await asyncio.gather(*asking, return_exceptions=True)
    (operator.folder / "stop").unlink()
    assert {change.what for change in changes} == lost.keys()

    async with operator.serves(**how) as next_one, socket_of(next_one) as page:
        await told_again(page, changes, lost, joined=operator.folder / "look")
        await eventually(lambda: not noted(operator))
        assert not re.search("Traceback|given up", next_one.err)
