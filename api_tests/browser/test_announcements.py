"""Announcements on the demo page: they come, change and go, and are there for those who come later."""

from playwright.async_api import Page, expect

from api_tests.browser.town import Town, all_is_quiet, ask, lose_connection, refused
from api_tests.client import ApiClient
from api_tests.clock import Clock
from api_tests.features.announcing import LATER_S, later
from api_tests.server import Running


async def shows(page: Page, *messages: str) -> None:
    """Just these announcements, in this order."""
    await expect(page.locator("#announcements .announcement p")).to_have_text(list(messages))


async def announce(admin: Page, message: str, priority: str) -> None:
    await admin.fill("#announcements-card [name=message]", message)
    await admin.select_option("#announcements-card [name=priority]", priority)
    await admin.click("#announcements-card form button")


async def test_an_announcement_appears_is_edited_and_is_recalled(town: Town, server: Running, api: ApiClient) -> None:
    ada, bob = await town.visit("Ada", "premium"), await town.visit("Bob")
    first = (await api.post("/announcements", {"message": "Coffee at three", "priority": "high"})).json()["id"]
    await api.post("/announcements", {"message": "The lounge is open", "priority": "medium"})
    await shows(ada, "The lounge is open", "Coffee at three")
    await shows(bob, "Coffee at three")

    await api.call("PATCH", f"/announcements/{first}", {"message": "Coffee at <four>"})
    await shows(ada, "The lounge is open", "Coffee at <four>")
    await shows(bob, "Coffee at <four>")

    late, nobody = await town.visit("Late"), await town.visit()
    await shows(late, "Coffee at <four>")
    await bob.reload()
    await shows(bob, "Coffee at <four>")

    await api.delete(f"/announcements/{first}")
    await shows(ada, "The lounge is open")
    await shows(bob)
    await shows(late)
    await expect(bob.locator("#announcements")).to_be_empty()
    await lose_connection(server, "ada", ada)
    await shows(ada, "The lounge is open")
    await all_is_quiet(api, nobody)
    await shows(nobody)


async def test_it_leaves_the_screens_when_its_time_is_over(clock: Clock, town: Town, api: ApiClient) -> None:
    ada = await town.visit("Ada")
    await api.post("/announcements", {"message": "For a moment", "priority": "high", "expires_at": later()})
    await shows(ada, "For a moment")
    clock.skip(LATER_S)
    await shows(ada)


async def test_admins_announce_from_the_page_and_others_may_not(town: Town, api: ApiClient) -> None:
    admin, premium, bob = await town.visit("Ada", "admin"), await town.visit("Pia", "premium"), await town.visit("Bob")
    await town.another_tab(bob)
    await announce(admin, "To all", "high")
    await expect(admin.locator("#announcement-answer")).to_have_text("Announcement sent to 3 users")
    await expect(admin.locator("#announcements-card [name=message]")).to_have_value("")
    await announce(admin, "To some", "medium")
    await expect(admin.locator("#announcement-answer")).to_have_text("Announcement sent to 2 users")
    await announce(admin, "To us", "low")
    await expect(admin.locator("#announcement-answer")).to_have_text("Announcement sent to 1 users")
    await shows(admin, "To us", "To some", "To all")
    await shows(premium, "To some", "To all")
    await shows(bob, "To all")
    await expect(bob.locator(".announcement.priority-high small")).to_have_text("From: Ada")

    await announce(admin, "", "low")
    await refused(admin, "#announcement-answer", "This cannot be used: message must not be empty.")
    assert 0 == await bob.locator("#announcements-card form").count()
    await ask(bob, "admin-announcement", {"message": "I am the admin", "priority": "high"}, "#notifications-answer")
    await refused(bob, "#notifications-answer", "Admin access required")
    await all_is_quiet(api, admin, premium, bob)
    await shows(bob, "To all")
