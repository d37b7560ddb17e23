"""What a first visit of the demo costs stays small; the figures stand in `docs/demo.md`."""

import re

import pytest
from playwright.async_api import Browser

from api_tests.browser.figures import figures
from api_tests.browser.pictures import DESK, PHONE
from api_tests.browser.png import FOLDER, MAX_BYTES
from api_tests.guide.pages import ROOT
from api_tests.server import Running

TEXT = (ROOT / "docs/demo.md").read_text()
GOOD_SHIFT = 0.1
TOLERANCE = 1.2
"""The page differs by what is stored, and by the length of its port."""


def told(row: str) -> list[int]:
    cells = re.search(rf"^\| {row}[^|]*\|([^|]+)\|([^|]+)\|", TEXT, re.MULTILINE)
    assert cells
    return [int(cell.replace(",", "")) for cell in cells.groups()]


@pytest.mark.parametrize(("size", "column"), [(DESK, 0), (PHONE, 1)], ids=["desk", "phone"])
async def test_a_first_visit_costs_what_the_docs_say(browser: Browser, server: Running, size: dict[str, int], column: int) -> None:
    counted = await figures(browser, server.url, size)
    assert told("requests")[column] == counted.requests
    assert counted.transferred_bytes < told("bytes")[column] * TOLERANCE
    assert counted.layout_shift < GOOD_SHIFT


def test_the_pictures_are_small_and_all_are_shown() -> None:
    pictures = {file.name: file.stat().st_size for file in FOLDER.glob("*.png")}
    assert [] == [name for name, size in pictures.items() if size > MAX_BYTES]
    shown = "".join(page.read_text() for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    assert [] == [name for name in pictures if f"pictures/{name}" not in shown]
