"""Places of the demo page: what happens somewhere is heard by those who are near."""

import re

from playwright.async_api import Page, expect

from api_tests.browser.town import Town, all_is_quiet, ask, lose_connection, refused
from api_tests.client import ApiClient
from api_tests.server import Running


async def be_in(page: Page, spot: str) -> None:
    chip = page.locator("#nearby-card").get_by_role("button", name=spot, exact=True)
    await chip.click()
    await expect(page.locator("#location-answer")).to_have_text(f"Location set: {spot}")
    await expect(chip).to_have_attribute("aria-pressed", "true")


async def tell(page: Page, title: str, *, place: str = "", radius_km: int = 2) -> None:
    await page.fill("[name=title]", title)
    if place:
        await page.select_option("[name=place]", label=place)
    await page.select_option("[name=radiusKm]", str(radius_km))
    await page.click("#nearby-card >> text=Tell")


async def hears(page: Page, *titles: str) -> None:
    await expect(page.locator("#local-events .local-event h4")).to_have_text(list(titles))


async def test_an_event_is_heard_by_those_within_its_circle(town: Town, api: ApiClient) -> None:
    ada, bob, cleo, dora = [await town.visit(name) for name in ("Ada", "Bob", "Cleo", "Dora")]
    await be_in(ada, "Harbour")
    await be_in(bob, "Station")
    await be_in(cleo, "Lighthouse")

    await ada.fill("#nearby-card [name=description]", "At the bridge")
    await tell(ada, "Street music")  # where she is: the page offers that first
    await expect(ada.locator("#event-answer")).to_have_text("Event broadcast to 1 nearby users")
    await expect(ada.locator("#local-events .local-event")).to_contain_text("At the bridge")
    await expect(ada.locator("#local-events .location")).to_have_text("Harbour")
    await expect(ada.locator("[name=title]")).to_have_value("")

    await tell(ada, "Fireworks", radius_km=4)
    await expect(ada.locator("#event-answer")).to_have_text("Event broadcast to 2 nearby users")
    await tell(ada, "Fado", place="Lighthouse")
    await hears(ada, "Fireworks", "Street music")
    await hears(bob, "Fireworks")
    await hears(cleo, "Fado")
    await all_is_quiet(api, dora)
    await hears(dora)  # she has not said where she is


async def test_a_place_by_its_coordinates_and_places_that_are_none(town: Town, server: Running) -> None:
    ada, nobody = await town.visit("Ada"), await town.visit()
    await ada.click("text=Somewhere else")
    await ada.fill("[name=latitude]", "91")
    await ada.fill("[name=longitude]", "-20.04")
    await ada.click("text=I am here")
    await refused(ada, "#location-answer", re.compile(r"This cannot be used: latitude must be <= 90\b"))
    await ada.fill("[name=latitude]", "49.99")
    await ada.fill("[name=longitude]", "east")
    await ada.click("text=I am here")
    await refused(ada, "#location-answer", "This cannot be used: longitude must be a number.")
    await ada.fill("[name=longitude]", "-20.04")
    await ada.click("text=I am here")
    await expect(ada.locator("#location-answer")).to_have_text("Location set")
    await tell(ada, "", place="Harbour")
    await refused(ada, "#event-answer", "This cannot be used: eventData.title must not be empty.")
    await tell(ada, "Street music")
    await hears(ada, "Street music")

    await lose_connection(server, "ada", ada)
    await expect(ada.locator("#location-answer")).to_have_text("Location set")
    await tell(ada, "Still here", radius_km=100)
    await hears(ada, "Still here", "Street music")

    far = {"eventData": {"title": "Far"}, "location": {"name": "x", "latitude": 0, "longitude": 0}, "radiusKm": 5_000}
    await ask(ada, "local-event", far, "#event-answer")
    await refused(ada, "#event-answer", "An event can reach 100 km at most")
    await nobody.click("#nearby-card >> text=Harbour")
    await refused(nobody, "#location-answer", "Please log in to share your location")
    await tell(nobody, "Anything")
    await refused(nobody, "#event-answer", "Please log in to tell of local events")
    await expect(nobody.locator("[name=title]")).to_have_value("Anything")
