"""People of the demo page: who follows whom, the inbox that tells of it, and friends who come and go."""

import msgspec
import pytest
from playwright.async_api import Page, expect

from api_tests.browser.town import Town, all_is_quiet, ask, is_live, refused
from api_tests.client import ApiClient
from app.settings import Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, presence_grace_s=0.3)


async def follow(town: Town, page: Page, name: str) -> None:
    await town.all_are_shown(page)
    await page.get_by_role("button", name=f"Follow {name}", exact=True).click()
    await expect(page.locator("#people-answer")).to_have_text("Now following user")


async def test_who_is_followed_is_notified_on_both_tabs_and_reads_it_on_both(town: Town, api: ApiClient) -> None:
    ada, bob = await town.visit("Ada"), await town.visit("Bob")
    tabs = bob, await town.another_tab(bob)
    await follow(town, ada, "Bob")
    for tab in tabs:
        await expect(tab.locator("#notifications .notification.info")).to_contain_text("Ada started following you")
        await expect(tab.locator("#notification-count")).to_have_text("1")
    assert 0 == await ada.locator(".notification").count()

    await tabs[0].get_by_role("button", name="Mark as read", exact=True).click()
    for tab in tabs:
        await expect(tab.locator(".notification.read .title")).to_have_text("New Follower")
        await expect(tab.locator("#notification-count")).to_be_empty()
        await expect(tab.locator(".notification button")).to_have_count(0)

    await api.post("/notifications", {"user_ids": ["bob"], "title": "One"})
    await api.post("/notifications", {"user_ids": ["bob"], "title": "Two", "type": "warning"})
    for tab in tabs:
        await expect(tab.locator("#notification-count")).to_have_text("2")
    await tabs[1].reload()
    await is_live(tabs[1])
    await all_is_quiet(api, *tabs)
    for tab in tabs:
        await expect(tab.locator(".notification .title")).to_have_text(["Two", "One", "New Follower"])
        await expect(tab.locator("#notification-count")).to_have_text("2")

    await tabs[1].click("text=Mark all read")
    for tab in tabs:
        await expect(tab.locator(".notification.read")).to_have_count(3)
        await expect(tab.locator("#notification-count")).to_be_empty()


async def test_the_page_knows_whom_one_follows_also_when_it_is_loaded_anew(town: Town) -> None:
    ada, bob = await town.visit("Ada"), await town.visit("Bob")
    await follow(town, ada, "Bob")
    await expect(ada.get_by_role("button", name="Follow Bob", exact=True)).to_be_hidden()
    await ada.reload()
    await town.all_are_shown(ada)
    await ada.get_by_role("button", name="Unfollow Bob").click()
    await expect(ada.locator("#people-answer")).to_have_text("No longer following user")
    await expect(ada.get_by_role("button", name="Follow Bob", exact=True)).to_be_visible()
    await expect(bob.locator(".notification")).to_have_count(1)


async def test_friends_see_each_other_come_and_go_and_others_do_not(town: Town, api: ApiClient) -> None:
    ada, bob, cleo = [await town.visit(name) for name in ("Ada", "Bob", "Cleo")]
    await follow(town, ada, "Bob")
    await follow(town, bob, "Ada")
    await follow(town, cleo, "Ada")
    second = await town.another_tab(ada)
    await second.close()
    await ada.close()
    await expect(bob.locator("#friend-activity .user-status")).to_have_text("Ada went offline")
    await town.visit("Ada")
    await expect(bob.locator("#friend-activity .user-status")).to_have_text(["Ada is now online", "Ada went offline"])
    await all_is_quiet(api, cleo)
    assert 0 == await cleo.locator("#friend-activity .user-status").count()


async def test_nobody_follows_nobody_or_themselves(town: Town) -> None:
    ada, nobody = await town.visit("Ada"), await town.visit()
    await nobody.get_by_role("button", name="Follow Ada", exact=True).click()
    await refused(nobody, "#people-answer", "Please log in to follow users")
    await expect(nobody.get_by_role("button", name="Follow Ada", exact=True)).to_be_visible()
    assert [] == [one for one in await ada.locator("#who .me button").all() if await one.is_visible()]
    await ask(ada, "follow-user", {"targetUserId": "ada"}, "#people-answer")
    await refused(ada, "#people-answer", "You cannot follow yourself")
    await ask(ada, "follow-user", {"targetUserId": "zoe"}, "#people-answer")
    await refused(ada, "#people-answer", "There is no such user")
    await ask(ada, "mark-notification-read", {"notificationId": "019312d0-c3f7-7a1b-b1d0-b8e4a3c5f6d7"}, "#notifications-answer")
    await refused(ada, "#notifications-answer", "There is no such notification")
