"""Every link of the docs leads somewhere, and every page is reached from their index."""

import re
from functools import cache
from pathlib import Path

from api_tests.guide.pages import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "benchmarks" / "README.md", *sorted(DOCS.glob("*.md"))]
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]*)\)")
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def links_of(page: Path) -> list[str]:
    return LINK.findall(FENCE.sub("", page.read_text()))


@cache
def anchors_of(page: Path) -> set[str]:
    """The places within a page that a link can name, as GitHub makes them of its headings."""
    headings = re.findall(r"^#+ (.*)", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return target.exists() and (not anchor or anchor in anchors_of(target))


def test_every_link_leads_somewhere() -> None:
    assert [] == [(page.name, link) for page in PAGES for link in links_of(page) if not leads_somewhere(page, link)]


def test_every_page_of_the_docs_stands_in_their_index() -> None:
    shown = {link.partition("#")[0] for link in links_of(DOCS / "README.md")}
    assert [] == [page.name for page in DOCS.glob("*.md") if page.name not in shown | {"README.md"}]
