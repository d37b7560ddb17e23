"""`wsx audit`: listed and followed, on the machine itself."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE
from datetime import timedelta

import pytest

from api_tests.cli.command import PROGRAM
from api_tests.waiting import SOON_S
from app.cli import issue, serving
from app.db.session import Database
from app.features.audit import by_command, record, recorder
from app.kernel.clock import utc_now
from app.kernel.errors import Refused
from app.kernel.ids import first_id_of
from app.web.deeds import NOBODY, Deed


async def write(operator, deed):
    """As a server does."""
    database = Database(operator.environment()["WSX_DATABASE_URL"])
    async with database.transaction() as session:
        await record(session, deed)
    await database.close()


def test_what_commands_did_is_listed_oldest_first_and_by_filters(wsx):
    key_id = wsx("keys", "create", "shop and more", "--scope", "rooms:read", "--scope", "audit:read").out.split("_")[1]
    assert 0 == wsx("keys", "revoke", key_id).status
    listed = wsx("audit", "list")
    made, revoked = listed.out.splitlines()
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00  200 +  keys create +  command:- \(operator\)  -  ", made)
    assert f"id={key_id} name='shop and more' scopes='audit:read rooms:read'" in made
    assert f"key_id={key_id}" in revoked
    assert [revoked] == wsx("audit", "list", "--operation", "keys revoke").out.splitlines()
    assert [revoked] == wsx("audit", "list", "--limit", "1").out.splitlines()
    for since in ("1h", "999999d"):
        assert [made, revoked] == wsx("audit", "list", "--since", since).out.splitlines()
    for who in ("--key", "--user"):
        assert (0, "") == wsx("audit", "list", who, "operator")[:2]


@pytest.mark.parametrize("command", [("audit", "list"), ("check",)])
async def test_who_has_read_enough_of_it_makes_no_error(operator, command):
    assert 0 == operator.runs("keys", "create", "till", "--scope", "rooms:read").status
    reading, writing = os.pipe()
    os.close(reading)
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, *command, cwd=operator.folder, env=operator.environment(), stdout=writing, stderr=PIPE
    )
    os.close(writing)
    assert (b"", 1) == ((await process.communicate())[1], process.returncode)


async def test_the_very_first_key_is_in_it(operator):
    async with operator.serves() as server:
        key_id = server.keys[0].split("_")[1]
    shown = operator.runs("audit", "list", "--operation", "first key").out
    assert (1, True) == (len(shown.splitlines()), f"id={key_id} scopes=admin" in shown)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--limit", "0"), "a number from 1 to 10000 is wanted"),
        (("--limit", "many"), "a number from 1 to 10000 is wanted"),
        (("--since", "yesterday"), "such as 90d"),
    ],
)
def test_a_wrong_option_is_refused(wsx, arguments, said):
    refused = wsx("audit", "list", *arguments)
    assert (2, True) == (refused.status, said in refused.err)


@pytest.mark.parametrize("what", ["create", "revoke"])
def test_what_cannot_be_noted_is_not_done(wsx, monkeypatch, what):
    key_id = wsx("keys", "create", "there", "--scope", "rooms:read").out.split("_")[1]

    async def away(*_):
        message = "the database is away"
        raise Refused(message)

    monkeypatch.setattr(issue, "record", away)
    arguments = {"create": ("another", "--scope", "admin"), "revoke": (key_id,)}[what]
    assert (1, "wsx: the database is away\n") == wsx("keys", what, *arguments)[::2]
    (left,) = wsx("keys", "list").out.splitlines()
    assert left.startswith(f"{key_id}  active")


def test_the_first_key_that_cannot_be_noted_is_not_made(wsx, operator, monkeypatch):
    async def away(*_):
        message = "the database is away"
        raise Refused(message)

    assert 0 == wsx("migrate").status
    monkeypatch.setattr(serving, "record", away)

    async def make():
        database = Database(operator.environment()["WSX_DATABASE_URL"])
        try:
            with pytest.raises(Refused):
                await serving._make_first_key(database)
        finally:
            await database.close()

    asyncio.run(make())
    assert "" == wsx("keys", "list").out


def test_what_nobody_did_is_left_out_or_shown_alone(wsx, operator):
    assert 0 == wsx("keys", "create", "shop", "--scope", "rooms:read").status
    refused = Deed(NOBODY, "list_rooms", {}, None, {}, 401, "unauthenticated", "", "192.0.2.1")
    asyncio.run(write(operator, refused))
    known, nobody = wsx("audit", "list").out.splitlines()
    assert "401 unauthenticated  list_rooms" in nobody
    assert [known] == wsx("audit", "list", "--known").out.splitlines()
    assert [nobody] == wsx("audit", "list", "--nobody").out.splitlines()
    assert 2 == wsx("audit", "list", "--known", "--nobody").status


async def test_events_are_followed_each_shown_once_also_one_that_was_written_late(operator, monkeypatch):
    assert 0 == operator.runs("keys", "create", "first", "--scope", "admin").status
    command = sys.executable, "-m", "app", "audit", "tail"
    where = {"cwd": operator.folder, "env": operator.environment()}
    process = await asyncio.create_subprocess_exec(*command, **where, stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(SOON_S):
        assert b"name=first" in await process.stdout.readline()
        await asyncio.to_thread(operator.runs, "keys", "create", "second", "--scope", "admin")
        assert b"name=second" in await process.stdout.readline()
        monkeypatch.setattr(recorder, "new_short_id", lambda: first_id_of(utc_now() - timedelta(hours=1)).hex)
        await write(operator, by_command("an hour ago, while the database was away", {}))
        assert b"an hour ago" in await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (130, b"", b"wsx: stopped\n") == (process.returncode, out, err)
