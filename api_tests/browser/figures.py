"""What a first visit of a page costs, as Chromium itself counts it: what Lighthouse is made of."""

from typing import NamedTuple

from playwright.async_api import Browser, ViewportSize

OBSERVE = """
window.shifts = 0;
window.largest = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) shifts += entry.value;
}).observe({ type: "layout-shift", buffered: true });
new PerformanceObserver((list) => { largest = list.getEntries().at(-1).startTime; })
  .observe({ type: "largest-contentful-paint", buffered: true });
"""
READ = """() => {
  const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  return [
    entries.length, entries.reduce((sum, entry) => sum + entry.transferSize, 0),
    performance.getEntriesByName("first-contentful-paint")[0].startTime, largest, shifts,
  ];
}"""


class Figures(NamedTuple):
    """Of one first visit, with an empty cache."""

    requests: int
    transferred_bytes: int
    first_paint_ms: float
    """First contentful paint."""
    largest_paint_ms: float
    """Largest contentful paint."""
    layout_shift: float
    """Cumulative layout shift: below 0.1 is good."""


async def figures(browser: Browser, url: str, size: ViewportSize) -> Figures:
    """Visit the page for the first time, until it is live and has shown what it was pushed."""
    context = await browser.new_context(viewport=size)
    page = await context.new_page()
    await page.add_init_script(OBSERVE)
    await page.goto(url)
    await page.wait_for_function("() => window.wsx?.isConnected() && document.querySelector('#who li') && largest")
    counted = Figures(*await page.evaluate(READ))
    await context.close()
    return counted
