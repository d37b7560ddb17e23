"""A form of the console that is sent twice is done once: by a double click, or by loading its answer anew."""

import asyncio
from typing import Any

import pytest

from api_tests.client import ApiClient
from api_tests.features.operator import Operator, said
from api_tests.server import Running
from api_tests.waiting import eventually
from app.web import desk
from app.web.answering import Operation

NO_TIMES = {"publish_at": "", "expires_at": ""}
ANNOUNCED = {"message": "Back soon", "title": "", "priority": "high", "audience": "", "names": "", **NO_TIMES}
NEW_KEY = {"name": "till", "scopes": "rooms:read", "targets": "", "expires_at": ""}


async def _items(api: ApiClient, path: str) -> list[Any]:
    return (await api.get(path)).json()["items"]


async def test_a_form_that_is_sent_twice_at_once_is_done_once_and_both_are_told_the_same(server: Running, api: ApiClient):
    async with Operator(server) as operator:
        form = {**ANNOUNCED, "button": "announce", "form_id": await operator.form_id("/announcements")}
        answers = await asyncio.gather(*(operator.post("/announcements/announce", **form) for _ in range(2)))
        assert ["/console/announcements?done=announced"] * 2 == [answer.headers["location"] for answer in answers]
        assert 1 == len(await _items(api, "/announcements"))


async def test_a_form_with_another_text_and_the_form_of_another_page_are_another_thing(server: Running, api: ApiClient):
    async with Operator(server) as operator:
        form = {**ANNOUNCED, "button": "announce", "form_id": await operator.form_id("/announcements")}
        await operator.post("/announcements/announce", **form)
        await operator.post("/announcements/announce", **{**form, "message": "Back again"})
        await operator.post("/announcements/announce", **{**form, "form_id": await operator.form_id("/announcements")})
        assert 3 == len(await _items(api, "/announcements"))


async def test_a_preview_uses_up_nothing(server: Running, api: ApiClient):
    async with Operator(server) as operator:
        form = {**ANNOUNCED, "form_id": await operator.form_id("/announcements")}
        for _ in range(2):
            assert "Nothing was sent." in (await operator.post("/announcements/announce", **form, button="preview")).text
        await operator.post("/announcements/announce", **form, button="announce")
        assert 1 == len(await _items(api, "/announcements"))


async def test_a_page_that_made_a_key_and_is_loaded_anew_makes_no_other(server: Running, api: ApiClient):
    async with Operator(server) as operator:
        form = {**NEW_KEY, "form_id": await operator.form_id("/keys")}
        assert 'id="key"' in (await operator.post("/keys/create", **form)).text
        again = await operator.post("/keys/create", **form)
        assert (409, True) == (again.status_code, "nothing was done again" in said(again))
        assert 'id="key"' not in again.text
        assert ["till"] == [key["name"] for key in await _items(api, "/api-keys")]


async def test_a_form_that_was_wrong_may_be_sent_again(server: Running, api: ApiClient):
    async with Operator(server) as operator:
        form_id = await operator.form_id("/rooms")
        await api.post("/rooms", {"id": "lobby"})
        form = {"id": "lobby", "name": "", "form_id": form_id}
        assert 409 == (await operator.post("/rooms/create", **form)).status_code
        await api.delete("/rooms/lobby")
        assert "/console/room?id=lobby&done=room_made" == (await operator.post("/rooms/create", **form)).headers["location"]


@pytest.mark.parametrize("waits_s", [0.05, 20])
async def test_a_form_waits_for_its_twin_but_not_for_ever(server: Running, monkeypatch: pytest.MonkeyPatch, waits_s: float):
    monkeypatch.setattr(desk, "WAITS_S", waits_s)
    monkeypatch.setattr(desk, "LOOK_EVERY_S", 0.02)
    begun, goes_on, looks = asyncio.Event(), asyncio.Event(), []
    called, ask = Operation._called, Operation.perform

    async def slow(self: Operation, *call: Any) -> Any:
        begun.set()
        await goes_on.wait()
        return await called(self, *call)

    def look(self: Operation, *asked: Any) -> Any:
        looks.append(1)
        return ask(self, *asked)

    async with Operator(server) as operator:
        form = {"id": "lobby", "name": "", "form_id": await operator.form_id("/rooms")}
        monkeypatch.setattr(Operation, "_called", slow)
        first = asyncio.create_task(operator.post("/rooms/create", **form))
        await begun.wait()
        monkeypatch.setattr(Operation, "perform", look)
        second = asyncio.create_task(operator.post("/rooms/create", **form))
        await eventually(lambda: len(looks) > 1)
        if waits_s < 1:
            assert (409, True) == ((await second).status_code, "still runs" in said(second.result()))
        goes_on.set()
        assert 303 == (await first).status_code
        assert waits_s < 1 or (await second).headers["location"] == first.result().headers["location"]
