"""The chat of the demo page: three people, two rooms, and what happens when a connection is lost."""

import re

from playwright.async_api import Page, expect

from api_tests.browser.town import Town, all_is_quiet, is_live, join, lose_connection, refused, say, write
from api_tests.client import ApiClient
from api_tests.server import Running


async def shows(page: Page, *texts: str) -> None:
    """Just these messages, in this order."""
    await expect(page.locator("#chat-messages .message .content")).to_have_text(list(texts))


async def test_three_people_talk_in_two_rooms_and_each_hears_their_own(town: Town, api: ApiClient) -> None:
    ada, bob, cleo = [await town.visit(name) for name in ("Ada", "Bob", "Cleo")]
    await join(ada, "Lobby")
    await join(bob, "Lobby")
    await expect(ada.locator("#room-activity div")).to_have_text("Bob joined the room")
    await join(cleo, "Kitchen")

    await say(ada, "Hello Bob")
    await shows(bob, "Hello Bob")
    await expect(ada.locator("#message-input")).to_have_value("")
    await expect(ada.locator("#message-input")).to_be_focused()
    await say(bob, "Hello Ada")
    await say(cleo, "Is anybody here?")
    await shows(ada, "Hello Bob", "Hello Ada")
    await expect(ada.locator("#chat-messages .user")).to_have_text(["Ada", "Bob"])
    await shows(cleo, "Is anybody here?")

    await join(bob, "Kitchen")
    await shows(bob, "Is anybody here?")
    await expect(bob.get_by_role("button", name="Lobby")).to_have_attribute("aria-pressed", "false")
    await expect(ada.locator("#room-activity div")).to_have_text(["Bob left the room", "Bob joined the room"])
    await expect(cleo.locator("#room-activity div")).to_have_text("Bob joined the room")
    await say(ada, "Bob?")
    await say(bob, "I am, now")
    await shows(cleo, "Is anybody here?", "I am, now")
    await shows(bob, "Is anybody here?", "I am, now")
    await shows(ada, "Hello Bob", "Hello Ada", "Bob?")

    said = (await api.post("/rooms/lobby/messages", {"message": "The kitchen is closing"})).json()["id"]
    await shows(ada, "Hello Bob", "Hello Ada", "Bob?", "The kitchen is closing")
    await api.call("PATCH", f"/messages/{said}", {"message": "The kitchen stays open"})
    await shows(ada, "Hello Bob", "Hello Ada", "Bob?", "The kitchen stays open")
    await api.delete(f"/messages/{said}")
    await shows(ada, "Hello Bob", "Hello Ada", "Bob?")


async def test_who_is_in_no_room_or_nobody_or_says_nothing_is_told_so(town: Town, api: ApiClient) -> None:
    ada, nobody = await town.visit("Ada"), await town.visit()
    await say(ada, "Hello?")
    await refused(ada, "#chat-answer", "You are not in this room")
    await expect(ada.locator("#message-input")).to_have_value("Hello?")
    await ada.click("#chat-card >> text=Leave")
    await refused(ada, "#room-answer", "You are not in this room")

    await nobody.click("#chat-card >> text=Lobby")
    await refused(nobody, "#room-answer", "Please log in to join rooms")
    await say(nobody, "Hello?")
    await refused(nobody, "#chat-answer", "Please log in to send messages")

    await join(ada, "Lobby")
    await say(ada, "")
    await refused(ada, "#chat-answer", "This cannot be used: message must not be empty.")
    await say(ada, "   ")
    await refused(ada, "#chat-answer", "Please write something first")
    await ada.click("#chat-card >> text=Leave")
    await expect(ada.locator("#room-answer")).to_have_text("Left room")
    await api.post("/rooms/lobby/messages", {"message": "Nobody is here"})
    await all_is_quiet(api, ada, nobody)
    await shows(ada)
    await shows(nobody)


async def test_who_says_more_than_can_be_sent_is_told_so_and_is_still_there(town: Town) -> None:
    ada, bob = await town.visit("Ada"), await town.visit("Bob")
    for page in (ada, bob):
        await join(page, "Lobby")
    for size, words in ((10_001, "may have 10000 characters at most"), (70_000, "This is too long to be sent.")):
        await ada.evaluate("size => { document.querySelector('#message-input').value = 'x'.repeat(size); }", size)
        await ada.press("#message-input", "Enter")
        await refused(ada, "#chat-answer", re.compile(words))
        await write(ada, "bob", "x" * size)
        await refused(ada, "#private-answer", re.compile(words))
        await expect(ada.locator("#connection")).to_have_text("live")
    await say(ada, "Still here")
    await shows(bob, "Still here")


async def test_a_page_that_comes_back_is_in_its_room_again(town: Town, server: Running, api: ApiClient) -> None:
    ada, bob = await town.visit("Ada"), await town.visit("Bob")
    await join(ada, "Lobby")
    await join(bob, "Lobby")
    await say(ada, "Before")
    await shows(bob, "Before")

    await lose_connection(server, "bob", bob)
    await expect(bob.locator("#room-answer")).to_have_text("Joined room lobby")
    await say(ada, "After")
    await shows(bob, "Before", "After")

    await bob.reload()
    await is_live(bob)
    await shows(bob, "Before", "After")
    await expect(bob.get_by_role("button", name="Lobby")).to_have_attribute("aria-pressed", "true")

    await bob.click("#chat-card >> text=Leave")
    await expect(bob.locator("#room-answer")).to_have_text("Left room")
    await lose_connection(server, "bob", bob)
    await say(ada, "Gone?")
    await all_is_quiet(api, ada, bob)
    await shows(bob)
