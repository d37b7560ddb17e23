"""People who are away from the demo page, and what they find when they come: each thing once."""

from time import monotonic

import msgspec
import pytest
from playwright.async_api import Page, expect

from api_tests.browser.town import Town, all_is_quiet, is_live, join, refused, write
from api_tests.client import ApiClient
from api_tests.server import Running
from api_tests.waiting import eventually
from app.hub.close import Close
from app.settings import Settings

ASLEEP = "asleep: touch the page to wake it"
IDLE_TIMEOUT_S = 600.0


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    return msgspec.structs.replace(settings, **getattr(request, "param", {}))


async def has_letters(page: Page, *letters: str) -> None:
    await expect(page.locator("#messages .private-message .content")).to_have_text(list(letters))


async def test_a_private_message_waits_for_who_is_away(town: Town, server: Running, api: ApiClient) -> None:
    ada, bob = await town.visit("Ada"), await town.visit("Bob")
    await write(ada, "bob", "Are you there?")
    await expect(ada.locator("#private-answer")).to_have_text("Message sent to user bob")
    await has_letters(bob, "Are you there?")
    await bob.context.close()
    await eventually(lambda: not server.hub.registry.of_user("bob"))

    await write(ada, "bob", "Call me")
    await expect(ada.locator("#private-answer")).to_have_text("Message sent to user bob")
    await expect(ada.locator("#private-card [name=message]")).to_have_value("")
    await write(ada, "bob", "When you are back")
    await api.post("/notifications", {"user_ids": ["bob"], "title": "While you were away"})
    bob = await town.visit("Bob")
    tab = await town.another_tab(bob)
    await all_is_quiet(api, ada, bob, tab)
    for page in (bob, tab):
        await has_letters(page, "Are you there?", "Call me", "When you are back")
        await expect(page.locator("#messages .user")).to_have_text(["Ada"] * 3)
        await expect(page.locator(".notification .title")).to_have_text(["While you were away"])
        await expect(page.locator("#notification-count")).to_have_text("1")
    await has_letters(ada)


async def test_a_message_to_nobody_or_of_nobody_is_refused(town: Town) -> None:
    ada, nobody = await town.visit("Ada"), await town.visit()
    await write(ada, "zoe", "Hello?")
    await refused(ada, "#private-answer", "There is no such user")
    await expect(ada.locator("#private-card [name=message]")).to_have_value("Hello?")
    await write(ada, "", "Hello?")
    await refused(ada, "#private-answer", "This cannot be used: recipientId must not be empty.")
    await write(nobody, "ada", "Hello?")
    await refused(nobody, "#private-answer", "Please log in to send messages")
    await has_letters(ada)


@pytest.mark.parametrize("settings", [{"idle_timeout_s": IDLE_TIMEOUT_S, "idle_sweep_s": 0.1}], indirect=True)
async def test_an_idle_page_stays_away_until_its_user_moves(town: Town, server: Running, api: ApiClient) -> None:
    async def turns(name: str) -> int:
        found: int = await ada.evaluate("name => heard.filter((event) => event.name === name).length", name)
        return found

    async def falls_asleep() -> None:
        """Nothing is heard of her for the whole timeout; what she has just done may still be on its way."""
        await eventually(lambda: server.silent_for(IDLE_TIMEOUT_S) or not server.hub.registry.of_user("ada"))
        await expect(ada.locator("#connection")).to_have_text(ASLEEP)

    async def a_while_passes() -> None:
        """Long enough for a page that comes back by itself."""
        until = monotonic() + 2
        await eventually(lambda: monotonic() > until)

    ada = await town.visit("Ada")
    await join(ada, "Lobby")
    await falls_asleep()
    assert [Close.IDLE.code] == await ada.evaluate(
        "heard.filter((event) => event.name === 'disconnected').map((event) => event.code)"
    )
    await a_while_passes()
    assert (1, 1) == (await turns("connected"), await turns("disconnected"))
    assert not server.hub.registry.of_user("ada")
    await api.post("/notifications", {"user_ids": ["ada"], "title": "Psst"})

    await ada.keyboard.press("Shift")
    await is_live(ada)
    await expect(ada.locator("#room-answer")).to_have_text("Joined room lobby")
    await expect(ada.locator(".notification .title")).to_have_text(["Psst"])

    await falls_asleep()
    await a_while_passes()
    assert (2, 2) == (await turns("connected"), await turns("disconnected"))
    await ada.mouse.click(5, 5)
    await is_live(ada)
