"""`wsx keys`: made, listed, revoked, from the machine itself."""

import re
from http import HTTPStatus

import pytest

from api_tests.cli.command import KEY
from api_tests.client import ApiClient


async def test_a_key_of_the_command_opens_what_it_says_until_it_is_revoked(operator):
    made = operator.runs("keys", "create", "shop", "--scope", "announcements:read", "--scope", "connections:read")
    assert (0, f"made a new database: {operator.database}\nshown only this once; keep it\n") == (made.status, made.err)
    key = made.out.strip()
    assert KEY.fullmatch(key)
    key_id = key.split("_")[1]
    async with operator.serves() as server, ApiClient(server.url, key) as api:
        assert 1 == len(server.keys)  # there was a key, but none that may do everything
        assert HTTPStatus.OK == (await api.get("/connections")).status_code
        assert HTTPStatus.FORBIDDEN == (await api.get("/api-keys")).status_code
        assert (0, f"{key_id}: revoked\n", "") == operator.runs("keys", "revoke", key_id)
        while (answer := await api.get("/connections")).status_code == HTTPStatus.OK:
            pass  # it is believed for a second more
        assert HTTPStatus.UNAUTHORIZED == answer.status_code
    assert (1, "wsx: no API key has this id\n") == operator.runs("keys", "revoke", "nobody")[::2]


def test_a_list_of_no_keys_says_so_beside_what_may_be_piped(wsx):
    wsx("migrate")
    assert (0, "", "there are no keys yet; `wsx keys create` makes one\n") == wsx("keys", "list")


def test_the_list_shows_the_state_of_each_key_and_never_its_secret(wsx):
    keys = [wsx("keys", "create", name, "--scope", "admin", *more).out.strip() for name, *more in KEYS]
    revoked = keys[1].split("_")[1]
    assert 0 == wsx("keys", "revoke", revoked).status
    listed = wsx("keys", "list").out
    while "expired" not in listed:
        listed = wsx("keys", "list").out
    shown = [re.split(r" {2,}", line) for line in listed.splitlines()]
    states = ["active", "revoked", "expired", "active"]
    wanted = [(key.split("_")[1], state, name) for key, state, (name, *_) in zip(keys, states, KEYS, strict=True)]
    assert wanted == [(line[0], line[1], line[-1]) for line in shown]
    assert all("never used" in line for line in shown)
    assert not any(key.split("_")[2] in listed for key in keys)


async def test_a_key_of_the_command_may_be_held_to_targets(operator):
    made = operator.runs("keys", "create", "chat", "--scope", "broadcasts:write", "--target", "#chat*", "--target", "#status")
    assert 0 == made.status
    assert "  broadcasts:write at #chat* #status  " in operator.runs("keys", "list").out
    async with operator.serves() as server, ApiClient(server.url, made.out.strip()) as api:
        for target, status in (("#chat-1", HTTPStatus.ACCEPTED), ("body", HTTPStatus.FORBIDDEN)):
            answer = await api.post("/broadcasts", {"audience": {"kind": "everyone"}, "target": target, "html": "x"})
            assert status == answer.status_code


KEYS = [("one",), ("two",), ("three", "--expires", "1s"), ("four", "--expires", "90d")]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("x", "--scope", "planets:read"), 2, "argument --scope: no such scope: 'planets:read'; there are admin, "),
        (("x", "--scope", ""), 2, "argument --scope: no such scope: ''"),
        (("x", "--scope", "y" * 500), 2, f"no such scope: '{'y' * 60}'"),
        (("x", "--scope", "admin", "--target", "body*"), 1, "/targets/0: a selector is wanted"),
        (("x", "--scope", "admin", "--expires", "0d"), 2, "a number from 1 to 999999 and s, m, h or d is wanted"),
        (("line\nbreak", "--scope", "admin"), 2, "printable"),
        (("\udcff", "--scope", "admin"), 2, "printable"),
        (("x", "--scope", "admin", "--expires", "soon"), 2, "a number from 1 to 999999 and s, m, h or d is wanted"),
        (("x", "--scope", "admin", "--expires", "99999999d"), 2, "a number from 1 to 999999"),
        (("", "--scope", "admin"), 2, "wsx: NAME: at least 1 character may stand here\n"),
        (("x" * 101, "--scope", "admin"), 2, "wsx: NAME: at most 100 characters may stand here\n"),
        (("x", "--scope", "admin", *["--target=#a"] * 51), 2, "wsx: --target: at most 50 items may be given\n"),
        (("x",), 2, "--scope"),
        ((), 2, "NAME"),
    ],
)
def test_a_key_that_cannot_be_is_refused(wsx, arguments, status, said):
    refused = wsx("keys", "create", *arguments)
    assert (status, "") == (refused.status, refused.out)
    assert said in refused.err
    assert "" == wsx("keys", "list").out
