"""What the console says to people: of what is wrong, of what is not there, of keys that have ended."""

import re
from datetime import UTC, timedelta

from api_tests.client import ApiClient
from api_tests.clock import Clock
from api_tests.features.operator import Operator, said
from api_tests.server import Running
from app.auth.keys import make_key

NO_TIMES = {"publish_at": "", "expires_at": ""}
ANNOUNCED = {"message": "Back soon", "title": "", "priority": "high", "audience": "", "names": "", **NO_TIMES}
OF_PROGRAMS = re.compile(r"[`/]|DELETE|Expected|regex|str\b")


async def test_what_is_wrong_is_said_in_words_of_the_form(server: Running):
    async with Operator(server) as operator:
        for path, form, name, words in (
            ("/announcements/announce", {**ANNOUNCED, "expires_at": "2001-01-01T00:00"}, "expires_at", "must be later than now"),
            ("/announcements/announce", {**ANNOUNCED, "message": ""}, "message", "must not be empty"),
            ("/announcements/announce", {**ANNOUNCED, "message": "x" * 10_001}, "message", "10000 characters at most"),
            ("/rooms/create", {"id": "a\tb", "name": ""}, "id", "without slashes, control characters"),
            ("/keys/create", {"name": "", "scopes": "rooms:read"}, "name", "must not be empty"),
        ):
            answer = await operator.post(path, **form)
            (told,) = re.findall(rf'id="wrong-{name}">([^<]*)<', answer.text)
            assert (422, True) == (answer.status_code, words in told), told
            assert not OF_PROGRAMS.search(told.replace("slashes", "")), told


async def test_an_address_that_the_console_has_not_is_a_page_of_its_own(server: Running):
    async with Operator(server) as operator, Operator(server, None) as stranger:
        for path in ("/nonsense", "/rooms/nonsense"):
            answer = await operator.see(path)
            assert (404, "The console has no such page.") == (answer.status_code, said(answer))
            assert 'href="/console/rooms"' in answer.text
            assert "/console/sign-in" == (await stranger.see(path)).headers["location"]


async def test_filters_that_let_nobody_through_are_said_to(server: Running):
    async with Operator(server) as operator, server.socket("ada"):
        text = (await operator.see("/connections", user_id="bob")).text
        assert "1 connection of 1 user in all" in text
        assert "Nobody is here whom these filters let through." in text
        text = (await operator.see("/audit", operation="delete_room")).text
        assert "Nothing was done that these filters let through." in text


async def test_a_key_that_has_ended_is_marked_and_told_apart_from_a_mistyped_one(server: Running, api: ApiClient, clock: Clock):
    ends_at = (clock.now(UTC) + timedelta(seconds=60)).isoformat()
    made = [
        (await api.post("/api-keys", {"name": name, "scopes": ["rooms:read"], "expires_at": ends_at})).json()
        for name in ("till", "shop")
    ]
    async with Operator(server) as operator, Operator(server, None) as late:
        assert "ends <time" in (await operator.see("/keys")).text
        await api.delete(f"/api-keys/{made[1]['id']}")
        clock.skip(61)
        text = (await operator.see("/keys")).text
        assert ["revoked", "expired"] == re.findall(r"<b>(revoked|expired)</b>", text)
        assert ("ended <time" in text, "ends <time" in text) == (True, False)
        assert ["this API key has expired", "this API key was revoked"] == [said(await late.sign_in(one["key"])) for one in made]
        other_secret = made[0]["key"].rpartition("_")[0] + make_key().text[-40:]
        for key in (other_secret, make_key().text, made[0]["key"][:-1] + "?"):
            assert "this is no valid API key: mistyped, expired or revoked" == said(await late.sign_in(key))
