"""Packages of npm that tests need, as their users get them: fetched once into `.build/npm`, without running anything of theirs.

None of them is a part of the product.
"""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from api_tests.missing import missing

CACHE: Final = Path(__file__).parent.parent / ".build" / "npm"
PACKAGES: Final = {
    "axe": "axe-core@4.14.1",
    "idiomorph": "idiomorph@0.8.0",
    "typescript": "typescript@5.9.3",
    "uglify": "uglify-js@3.19.3",
    "htmx2": "htmx.org@2.0.11",
    "htmx2-ws": "htmx-ext-ws@2.0.4",
    "htmx2-sse": "htmx-ext-sse@2.2.4",
    "htmx4": "htmx.org@4.0.1",
    "turbo": "@hotwired/turbo@8.0.23",
}
CLIENTS: Final = {
    "htmx2.js": ("htmx2", "dist/htmx.js"),
    "htmx2-ws.js": ("htmx2-ws", "ws.js"),
    "htmx2-sse.js": ("htmx2-sse", "sse.js"),
    "htmx4.js": ("htmx4", "dist/htmx.js"),
    "htmx4-ws.js": ("htmx4", "dist/ext/hx-ws.js"),
    "htmx4-sse.js": ("htmx4", "dist/ext/hx-sse.js"),
    "turbo.js": ("turbo", "dist/turbo.es2017-umd.js"),
}
"""What pages load that use another client, and where it is."""
WITHIN_S: Final = 120


def package(name: str) -> Path:
    """The folder of a package. Says `missing` where npm cannot be reached and it was not fetched before."""
    wanted = PACKAGES[name]
    kept = CACHE / wanted.removeprefix("@").replace("/", "-")
    if not kept.is_dir():
        _fetch(wanted, kept)
    return kept


def scripts() -> Mapping[str, str]:
    """The files of other clients, by name."""
    return {name: (package(one) / path).read_text() for name, (one, path) in CLIENTS.items()}


def node() -> str:
    """The program that runs JavaScript."""
    return shutil.which("node") or missing("node is missing (on Debian: apt install nodejs)")


def _fetch(wanted: str, kept: Path) -> None:
    """Fetch and unpack. Others may do the same at the same time: whoever is first puts it there."""
    npm = shutil.which("npm") or missing(f"npm is missing: {wanted} is fetched with it (on Debian: apt install npm)")
    folder = CACHE / f"{kept.name}.{os.getpid()}"
    folder.mkdir(parents=True)
    try:
        subprocess.run([npm, "pack", "--silent", wanted], cwd=folder, capture_output=True, check=True, timeout=WITHIN_S)
        with tarfile.open(next(folder.glob("*.tgz"))) as archive:
            archive.extractall(folder, filter="data")
        with suppress(OSError):
            (folder / "package").rename(kept)
    except (subprocess.SubprocessError, OSError) as error:
        missing(f"npm cannot fetch {wanted}: {error}")
    finally:
        shutil.rmtree(folder)
