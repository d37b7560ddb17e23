"""Packages of npm that tests need: fetched once, with its ordinary client, and unpacked without running anything of theirs."""

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from api_tests.missing import missing

PACKAGES = {"idiomorph": "0.8.0", "typescript": "5.9.3"}


def package(cache: pytest.Cache, name: str) -> Path:
    """The folder of a package."""
    version = PACKAGES[name]
    kept = cache.mkdir("npm") / f"{name}-{version}"
    if not kept.exists():
        _fetch(f"{name}@{version}", kept)
    return kept


def _fetch(wanted: str, kept: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        missing(f"npm is missing: {wanted} cannot be fetched")
    folder = kept.with_suffix(".new")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    packed = subprocess.run([npm, "pack", "--silent", wanted], cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    if packed.returncode:
        missing(f"npm cannot fetch {wanted}: {packed.stderr.strip()[-200:]}")
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        archive.extractall(folder, filter="data")
    (folder / "package").rename(kept)
    shutil.rmtree(folder)
