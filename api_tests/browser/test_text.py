"""Whatever people write on the demo page stays text, wherever it is shown."""

from playwright.async_api import expect

from api_tests.browser.town import XSS, Town, ask, join, say, write
from api_tests.client import ApiClient


async def test_markup_in_every_field_never_becomes_an_element(town: Town, api: ApiClient) -> None:
    watcher = await town.visit("Ada", "admin")
    writer = await town.visit(XSS, "admin")
    await expect(watcher.locator("#who")).to_contain_text(f"{XSS} admin")
    for page in (watcher, writer):
        await join(page, "Lobby")
    await expect(watcher.locator("#room-activity")).to_have_text(f"{XSS} joined the room")

    await say(writer, XSS)
    await expect(watcher.locator("#chat-messages .content")).to_have_text(XSS)
    await expect(watcher.locator("#chat-messages .user")).to_have_text(XSS)
    await write(writer, "ada", XSS)
    await expect(watcher.locator("#messages .content")).to_have_text(XSS)
    await write(writer, XSS, "hello")
    await expect(writer.locator("#private-answer")).to_have_text("There is no such user")

    await watcher.locator("#nearby-card").get_by_role("button", name="Harbour").click()
    await expect(watcher.locator("#location-answer")).to_have_text("Location set: Harbour")
    place = {"name": XSS, "latitude": 49.99, "longitude": -20.04}
    await ask(writer, "local-event", {"eventData": {"title": XSS, "description": XSS}, "location": place}, "#event-answer")
    for part in ("h4", "p", ".location"):
        await expect(watcher.locator(f"#local-events {part}")).to_have_text(XSS)
    await ask(writer, "set-location", place, "#location-answer")
    await expect(writer.locator("#location-answer")).to_have_text(f"Location set: {XSS}")

    await writer.fill("#announcements-card [name=message]", XSS)
    await writer.click("#announcements-card form button")
    await expect(watcher.locator("#announcements p")).to_have_text(XSS)
    await expect(watcher.locator("#announcements small")).to_have_text(f"From: {XSS}")
    await writer.get_by_role("button", name="Follow Ada", exact=True).click()
    await expect(watcher.locator("#notifications .message")).to_have_text(f"{XSS} started following you")
    await writer.click("text=Send an update")
    await expect(watcher.locator("#live-feed")).to_have_text(f"Update from {XSS}")
    await api.post("/maintenance", {"message": XSS, "scheduled_time": "2030-01-01T22:00:00Z"})
    await expect(watcher.locator("#system-notices p").first).to_have_text(XSS)

    await watcher.reload()
    await expect(watcher.locator("#notifications .message")).to_have_text(f"{XSS} started following you")
    await expect(watcher.locator("#messages .content")).to_have_text(XSS)
    await expect(watcher.locator("#chat-messages .content")).to_have_text(XSS)
    for page in (watcher, writer, await town.another_tab(writer)):
        assert 0 == await page.locator("img").count()
