"""axe-core, from npm, looks at a page as those who test accessibility do."""

from functools import cache
from typing import Any, Final

from playwright.async_api import Page

from api_tests.npm import package

RUN: Final = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"


@cache
def script() -> str:
    """The source of axe-core."""
    return (package("axe") / "axe.min.js").read_text()


async def violations(page: Page) -> list[str]:
    """What axe finds on the page as it is now, all its rules: one line for each element, with rule, element and reason."""
    # Not by a <script>: the page's policy forbids what is not its own. What the browser's tools evaluate is no part of the page.
    await page.evaluate(script())
    found: list[dict[str, Any]] = await page.evaluate(RUN)
    return [f"{rule['id']}: {node['target']}: {node['failureSummary']}" for rule in found for node in rule["nodes"]]
