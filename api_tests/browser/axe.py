"""axe-core, from npm, looks at a page as those who test accessibility do."""

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Page

from api_tests.missing import missing

VERSION: Final = "4.14.1"
FOLDER: Final = Path(__file__).parents[2] / ".build" / f"axe-core-{VERSION}"
NPM_WITHIN_S: Final = 60

RUN: Final = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"


@cache
def script() -> str:
    """The source of axe-core, fetched once into `.build`."""
    file = FOLDER / "package" / "axe.min.js"
    if not file.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm") or missing("npm is missing: apt install npm")
        packed = subprocess.run(
            [npm, "pack", "--silent", f"axe-core@{VERSION}"],
            cwd=FOLDER,
            capture_output=True,
            text=True,
            timeout=NPM_WITHIN_S,
            check=False,
        )
        if packed.returncode:
            missing(f"axe-core cannot be had from npm: {packed.stderr.strip()[-200:]}")
        shutil.unpack_archive(FOLDER / packed.stdout.strip().splitlines()[-1], FOLDER, filter="data")
    return file.read_text()


async def violations(page: Page) -> list[str]:
    """What axe finds on the page as it is now, all its rules: one line for each element, with rule, element and reason."""
    # Not by a <script>: the page's policy forbids what is not its own. What the browser's tools evaluate is no part of the page.
    await page.evaluate(script())
    found: list[dict[str, Any]] = await page.evaluate(RUN)
    return [f"{rule['id']}: {node['target']}: {node['failureSummary']}" for rule in found for node in rule["nodes"]]
