"""Whatever people or weak keys send, in every field: nothing of it acts in a page that has no policy to protect it.

The page is made for this: the client, and the places where things are shown. Its policy only reports: what is written inline runs,
and is seen to run. What people write must leave each fragment as it is with a harmless word: the same elements, the same
attributes. `HOSTILE=long` (`make hostile`) sends every string to every field, and Debian's lists as well.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, Page

from api_tests.browser.corpus import HERE, is_markup, naughty, vectors, wfuzz
from api_tests.browser.scripted import Site
from api_tests.client import ApiClient
from api_tests.server import Running, run_server
from app.features.broadcasts import service
from app.settings import Settings

IS_LONG = os.environ.get("HOSTILE") == "long"
PLACES = {
    "#announcements",
    "#chat-messages",
    "#friend-activity",
    "#live-feed",
    "#local-events",
    "#messages",
    "#notification-count",
    "#notifications",
    "#room-activity",
    "#system-notices",
    "#user-updates",
}
PAGE = "<!doctype html><script src='/wsx.js'></script><body wx-config='{config}'>" + "".join(
    f"<div id='{place[1:]}'></div>" for place in sorted(PLACES | {"#back-office", "#end"})
)
POLICY = "script-src 'self' 'unsafe-eval' 'report-sample'"
REFUSED = "div[class]()"
"""The skeleton of a handler's no."""
SQUARE = {"latitude": 52.5, "longitude": 13.4}
OFTEN = 0.9
"""The share of the strings that each field takes, at least; some are too long for one, or hold what it refuses."""
TOGETHER = 8
"""Strings that are written at the same time."""


@pytest.fixture(autouse=True)
def unpaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes into the live feed is there at once."""
    monkeypatch.setattr(service, "LIVE_FEED_PER_S", 10_000.0)


@pytest.fixture
async def place() -> AsyncIterator[Site]:
    """Serves the page: the product serves none without a policy."""
    site = Site()
    await site.start()
    site.headers = {"Content-Security-Policy-Report-Only": POLICY}
    yield site
    await site.stop()


@pytest.fixture
async def server(settings: Settings, place: Site) -> AsyncIterator[Running]:
    async with run_server(replace(settings, allowed_origins=(place.url.rstrip("/"),))) as running:
        place.html = PAGE.format(config=f"ws://127.0.0.1:{running.port}/ws")
        yield running


@pytest.fixture
async def judge(browser: Browser, server: Running, place: Site) -> AsyncIterator[Page]:
    """The page of somebody who hears everything."""
    context = await browser.new_context()
    token = server.token("watcher", name="Watcher", roles=("admin",))
    await context.add_cookies([{"name": "wsx_token", "value": token, "url": place.url}])
    page = await context.new_page()
    await page.add_init_script((HERE / "judge.js").read_text())
    await page.route(lambda url: not url.startswith(place.url), lambda route: route.abort())
    await page.goto(place.url)
    await page.wait_for_function("window.wsx?.connectionId")
    yield page
    await context.close()


async def heard_until_now(page: Page, api: ApiClient, marker: str) -> list[dict[str, Any]]:
    """All that was swapped in since the last call."""
    await api.broadcast(marker, "#end", audience={"kind": "users", "ids": ["watcher"]})
    await page.wait_for_function("marker => document.querySelector('#end').textContent === marker", arg=marker)
    shown: list[dict[str, Any]] = await page.evaluate("shown.splice(0)")
    return [one for one in shown if one["target"] != "#end"]


async def in_batches(api: ApiClient, texts: Sequence[str]) -> None:
    for start in range(0, len(texts), 100):
        update = {"audience": {"kind": "everyone"}, "target": "#back-office", "swap": "beforeend"}
        updates = [{**update, "html": text} for text in texts[start : start + 100]]
        answer = await api.post("/broadcasts/batch", {"updates": updates})
        assert 202 == answer.status_code, answer.text


def strings() -> list[str]:
    return [text for text in (*vectors(), *naughty(), *(wfuzz() if IS_LONG else ())) if text.strip()]


async def test_html_of_a_weak_key_does_nothing_whatever_it_is(server: Running, api: ApiClient, judge: Page) -> None:
    texts = strings()
    around = "{}", "<tr>{}</tr>", "<td>{}", "<p title='{}'>{}"
    sent = [form.replace("{}", text) for form in around for text in texts]
    async with ApiClient(server.url, await api.key_with("broadcasts:write")) as weak:
        await in_batches(weak, sent)
    shown = await heard_until_now(judge, api, "all of them")
    assert len(sent) == len(shown)
    assert [] == [one for one in shown if one["faults"]]
    await judge.evaluate("touch(document)")
    assert [] == await judge.evaluate("faults(document.querySelector('#back-office'))")
    assert [] == await judge.evaluate("ran")


async def test_the_judge_sees_what_a_strong_key_may_do(api: ApiClient, judge: Page) -> None:
    """Else it would prove nothing."""
    acting = "<img src=x onerror=alert(1)>", "<p onclick='window.y = 1'>x", "<a href='javascript:alert(1)'>x</a>", "<p wx-send=y>"
    await in_batches(api, acting)
    shown = await heard_until_now(judge, api, "those")
    assert [["img onerror"], ["p onclick"], ["href javascript:alert(1)"], ["p wx-send"]] == [one["faults"] for one in shown]
    await judge.evaluate("touch(document)")
    await judge.wait_for_function("ran.includes('alert')")
    assert 1 == await judge.evaluate("window.y")
    assert 2 <= len([word for word in await judge.evaluate("ran") if word.startswith("script-src-attr inline")])


async def write_everywhere(server: Running, api: ApiClient, text: str, number: int) -> list[tuple[str, str]]:
    """Somebody of this name writes this into all that there is to write into. Returns the answers, which only they are shown."""
    user_id, answers = f"u{number}", []
    for follower, followee in ((user_id, "watcher"), ("watcher", user_id)):
        await api.post("/follows", {"follower_id": follower, "followee_id": followee})
    async with server.socket(user_id, name=text, roles=("admin",), max_queue=None) as page:  # it reads little of what it hears
        for handler, data in (
            ("join-room", {"roomId": "lobby"}),
            ("send-message", {"roomId": "lobby", "message": text}),
            ("private-message", {"recipientId": "watcher", "message": text}),
            ("private-message", {"recipientId": text, "message": "x"}),
            ("admin-announcement", {"message": text, "priority": "high"}),
            ("set-location", {**SQUARE, "name": text}),
            ("local-event", {"eventData": {"title": text, "description": text}, "location": {**SQUARE, "name": text}}),
            ("rate-limited-update", {}),
            ("join-room", {"roomId": text}),
            ("leave-room", {}),
        ):
            answers.append((handler, (await page.ask(handler, data))["html"]))
        answers.append(("unknown", (await page.ask(f"-{text}"))["html"]))
        await by_rest(api, text, user_id)
    return answers


async def by_rest(api: ApiClient, text: str, user_id: str) -> None:
    update = {"target": "#user-updates", "template": "notice", "context": {"title": text, "message": text, "kind": text}}
    await api.put("/users/watcher", {"name": text[:200], "status": text[:200]})
    for path, body in (
        ("/notifications", {"user_ids": ["watcher"], "title": text, "message": text}),
        ("/announcements", {"title": text, "message": text, "priority": "high"}),
        ("/maintenance", {"message": text, "scheduled_time": "2030-01-01T22:00:00Z"}),
        ("/rooms/lobby/messages", {"message": text, "user_id": user_id}),
        ("/users/updates", {"updates": [{"user_id": "watcher", **update}]}),
        ("/users/updates", {"updates": None}),
    ):
        answer = await api.post(path, body)
        assert answer.status_code in {201, 202, 422}, answer.text


async def test_what_people_write_stays_text_in_every_field(server: Running, api: ApiClient, judge: Page) -> None:
    await judge.evaluate("wsx.send('join-room', {roomId: 'lobby'})")
    await judge.evaluate("square => wsx.send('set-location', square)", SQUARE)
    known: dict[str, set[str]] = {}
    for number, text in enumerate(("Ada", "Bob"), 1):
        answers = await write_everywhere(server, api, text, -number)
        await friends_came(judge, number)
        for place, skeletons in await heard(judge, api, text, answers):
            known.setdefault(place, {REFUSED}).update(skeletons)
    assert PLACES <= known.keys()
    texts = strings() if IS_LONG else [text for text in strings() if is_markup(text)][::3]
    counted = dict.fromkeys(known, 0)
    for start in range(0, len(texts), TOGETHER):
        together = texts[start : start + TOGETHER]
        written = await asyncio.gather(*(write_everywhere(server, api, text, start + n) for n, text in enumerate(together, 1)))
        answers = [answer for one in written for answer in one]
        await friends_came(judge, round(OFTEN * (start + len(together))))
        for place, skeletons in await heard(judge, api, str(start), answers):
            assert known[place] >= set(skeletons), (place, together)
            counted[place] += 1
    assert [] == [place for place, times in counted.items() if times < len(texts) * OFTEN]
    await judge.evaluate("touch(document)")
    assert [] == await judge.evaluate("ran")


async def friends_came(judge: Page, count: int) -> None:
    """Wait until the page was told of so many friends: that is looked up behind their connects."""
    await judge.wait_for_function("count => document.querySelector('#friend-activity').children.length >= count", arg=count)


async def heard(judge: Page, api: ApiClient, marker: str, answers: Sequence[tuple[str, str]]) -> list[tuple[str, Sequence[str]]]:
    """Of all that the page was shown since the last call, and of these answers: the place or handler, and the skeletons."""
    shown = await heard_until_now(judge, api, f"until {marker}")
    made = await judge.evaluate("many => many.map((html) => judged(html).skeletons)", [html for _, html in answers])
    return [
        *((one["target"], one["skeletons"]) for one in shown),
        *((handler, skeletons) for (handler, _), skeletons in zip(answers, made, strict=True)),
    ]
