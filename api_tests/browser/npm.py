"""Packages of npm that tests need: fetched once, by its ordinary client, and unpacked without running anything of theirs."""

import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Final

from api_tests.missing import missing

CACHE: Final = Path(__file__).parents[2] / ".build" / "npm"
VERSIONS: Final = {"idiomorph": "0.8.0", "typescript": "5.9.3"}
WITHIN_S: Final = 120


def package(name: str) -> Path:
    """The folder of a package. Says `missing` where npm cannot be reached and it was not fetched before."""
    kept = CACHE / f"{name}-{VERSIONS[name]}"
    if not kept.is_dir():
        _fetch(f"{name}@{VERSIONS[name]}", kept)
    return kept


def node() -> str:
    """The program that runs JavaScript."""
    return shutil.which("node") or missing("node is missing: apt install nodejs")


def _fetch(wanted: str, kept: Path) -> None:
    npm = shutil.which("npm") or missing(f"npm is missing: {wanted} is fetched with it (on Debian: apt install npm)")
    folder = kept.with_suffix(".part")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        subprocess.run([npm, "pack", "--silent", wanted], cwd=folder, capture_output=True, check=True, timeout=WITHIN_S)
    except (subprocess.SubprocessError, OSError) as error:
        missing(f"npm cannot fetch {wanted}: {error}")
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        archive.extractall(folder, filter="data")
    (folder / "package").rename(kept)
    shutil.rmtree(folder)
