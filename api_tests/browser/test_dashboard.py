"""What admins of the demo page see and do, and that nobody else does."""

import msgspec
import pytest
from playwright.async_api import Page, expect

from api_tests.browser.town import Town, all_is_quiet, ask, join, refused, say
from api_tests.client import ApiClient
from app.settings import Settings


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    return msgspec.structs.replace(settings, dashboard_interval_s=getattr(request, "param", 0.3))


async def reads(page: Page, label: str, value: str) -> None:
    """The dashboard shows this value under this label."""
    stat = page.locator("#dashboard-stats .stat", has=page.get_by_text(label, exact=True))
    await expect(stat.locator(".value")).to_have_text(value)


async def test_the_dashboard_ticks(town: Town) -> None:
    admin = await town.visit("Ada", "admin")
    await reads(admin, "Active Users", "1")
    await reads(admin, "Messages in the last hour", "0")
    bob = await town.visit("Bob")
    await join(bob, "Lobby")
    await say(bob, "Hello")
    await reads(admin, "Messages in the last hour", "1")
    await reads(admin, "Active Users", "2")
    await reads(admin, "Connections", "2")


@pytest.mark.parametrize("settings", [3_600.0], indirect=True)
async def test_new_figures_are_there_at_once_and_for_admins_only(town: Town, api: ApiClient) -> None:
    admin, bob, nobody = await town.visit("Ada", "admin"), await town.visit("Bob", "premium"), await town.visit()
    await api.put("/dashboard/figures", {"revenue": 1234.5, "orders": 17})
    await reads(admin, "Revenue", "$1234.50")
    await reads(admin, "Orders", "17")
    await api.put("/dashboard/figures", {"returns": 2})
    await reads(admin, "Returns", "2")
    await expect(admin.locator("#dashboard-stats")).not_to_contain_text("Revenue")
    wrong = await api.put("/dashboard/figures", {"returns": "many"})
    assert 400 <= wrong.status_code < 500
    await all_is_quiet(api, admin, bob, nobody)
    await reads(admin, "Returns", "2")
    for page in (bob, nobody):
        assert 0 == await page.locator("#dashboard-card, .dashboard-stats").count()
        assert [] == await page.evaluate("heard.filter((event) => event.name === 'error')")


async def test_admins_update_everybody_and_others_may_not(town: Town, api: ApiClient) -> None:
    admin, bob = await town.visit("Ada", "admin"), await town.visit("Bob")
    await admin.click("text=Mass update")
    await expect(admin.locator("#admin-answer")).to_have_text("Mass update completed")
    await expect(admin.locator("#admin-panel")).to_have_text("Admin notification")
    for page in (admin, bob):
        await expect(page.locator("#status")).to_have_text("Mass update initiated")

    assert (await api.put("/users/bob", {"name": "Bob", "status": "at lunch"})).is_success
    await admin.click("text=Send everybody their line")
    await expect(admin.locator("#admin-answer")).to_have_text("Broadcast sent to 2 users")
    await expect(bob.locator("#user-updates .user-update")).to_have_text("Bob - at lunch")
    await expect(admin.locator("#user-updates .user-update")).to_have_text("Ada - online")

    for handler in ("mass-update", "broadcast-user-updates"):
        await ask(bob, handler, {}, "#live-answer")
        await refused(bob, "#live-answer", "Admin access required")


async def test_the_live_feed_takes_updates_of_those_who_signed_in(town: Town) -> None:
    ada, nobody = await town.visit("Ada"), await town.visit()
    for _ in range(3):
        await ada.click("text=Send an update")
    await expect(ada.locator("#live-answer")).to_have_text("Update queued for broadcast")
    for page in (ada, nobody):
        await expect(page.locator("#live-feed div")).to_have_text(["Update from Ada"] * 3)
    await nobody.click("text=Send an update")
    await refused(nobody, "#live-answer", "Please log in to send updates")


async def test_maintenance_is_told_to_everybody(town: Town, api: ApiClient) -> None:
    pages = await town.visit("Ada"), await town.visit()
    await api.post("/maintenance", {"message": "Closed <for> a while", "scheduled_time": "2030-01-02T22:00:00Z"})
    for page in pages:
        await expect(page.locator("#system-notices .maintenance-notice")).to_contain_text("Closed <for> a while")
        await expect(page.locator("#system-notices time")).to_have_text("02 January 2030, 22:00 UTC")
