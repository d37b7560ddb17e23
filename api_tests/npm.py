"""Clients of others, as their users get them: from npm, once, into `.build/npm`. None of them is a part of the product."""

import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from api_tests.missing import missing

CACHE: Final = Path(__file__).parent.parent / ".build/npm"
PACKAGES: Final = {
    "htmx2": "htmx.org@2.0.11",
    "htmx2-ws": "htmx-ext-ws@2.0.4",
    "htmx2-sse": "htmx-ext-sse@2.2.4",
    "htmx4": "htmx.org@4.0.1",
    "turbo": "@hotwired/turbo@8.0.23",
}
FILES: Final = {
    "htmx2.js": ("htmx2", "dist/htmx.js"),
    "htmx2-ws.js": ("htmx2-ws", "ws.js"),
    "htmx2-sse.js": ("htmx2-sse", "sse.js"),
    "htmx4.js": ("htmx4", "dist/htmx.js"),
    "htmx4-ws.js": ("htmx4", "dist/ext/hx-ws.js"),
    "htmx4-sse.js": ("htmx4", "dist/ext/hx-sse.js"),
    "turbo.js": ("turbo", "dist/turbo.es2017-umd.js"),
}
"""What pages load, and where it is."""
WITHIN_S: Final = 120


def scripts() -> Mapping[str, str]:
    """The files by name. Says `missing` where npm cannot be reached and they were not fetched before."""
    wanted = {name: spec for name, spec in PACKAGES.items() if not (CACHE / _folder(spec)).is_dir()}
    if wanted:
        _fetch(list(wanted.values()))
    return {name: (CACHE / _folder(PACKAGES[package]) / path).read_text() for name, (package, path) in FILES.items()}


def _folder(spec: str) -> str:
    """As npm names the archive."""
    return spec.removeprefix("@").replace("/", "-").replace("@", "-")


def _fetch(specs: list[str]) -> None:
    if shutil.which("npm") is None:
        missing("npm is missing: htmx and Turbo are fetched with it (on Debian: apt install npm)")
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        command = ["npm", "pack", "--silent", "--pack-destination", str(CACHE), *specs]
        subprocess.run(command, check=True, capture_output=True, timeout=WITHIN_S, cwd=CACHE)
    except (subprocess.SubprocessError, OSError) as error:
        missing(f"npm cannot fetch {', '.join(specs)}: {error}")
    for spec in specs:
        archive = CACHE / f"{_folder(spec)}.tgz"
        unpacked = CACHE / f"{_folder(spec)}.part"
        with tarfile.open(archive) as packed:
            packed.extractall(unpacked, filter="data")
        (unpacked / "package").rename(CACHE / _folder(spec))
        unpacked.rmdir()
        archive.unlink()
