"""`wsx audit`: listed and followed, on the machine itself."""

import asyncio
import re
import signal
import sys
from asyncio.subprocess import PIPE

import pytest

from api_tests.waiting import SOON_S


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
    assert [made, revoked] == wsx("audit", "list", "--since", "1h").out.splitlines()
    for who in ("--key", "--user"):
        assert (0, "") == wsx("audit", "list", who, "operator")[:2]


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


async def test_events_are_followed_each_shown_once(operator):
    assert 0 == operator.runs("keys", "create", "first", "--scope", "admin").status
    command = sys.executable, "-m", "app", "audit", "tail"
    where = {"cwd": operator.folder, "env": operator.environment()}
    process = await asyncio.create_subprocess_exec(*command, **where, stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(SOON_S):
        assert b"name=first" in await process.stdout.readline()
        await asyncio.to_thread(operator.runs, "keys", "create", "second", "--scope", "admin")
        assert b"name=second" in await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (130, b"", b"wsx: stopped\n") == (process.returncode, out, err)
