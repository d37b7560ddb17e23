"""Disks of a test's own: one whose power is cut, and one that is full. Both are mounted, which takes root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api_tests.missing import missing

MIB = 2**20
_LAZY = "commit=300"
"""The file system writes when it is told to, not every 5 s: what nobody has asked to be on disk is not there by luck."""


@contextmanager
def mounted(folder: Path, *how: str) -> Iterator[Path]:
    """The folder, with a file system in it; says what is missing where that is not allowed."""
    folder.mkdir()
    done = subprocess.run(("mount", *how, str(folder)), capture_output=True, text=True, check=False)
    if done.returncode:
        missing(f"mounting a file system needs root: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(("umount", "--lazy", str(folder)), check=True)


@contextmanager
def memory(folder: Path, size_bytes: int) -> Iterator[Path]:
    """A disk of so many bytes."""
    with mounted(folder, "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs") as disk:
        yield disk


class Disk:
    """An ext4 in a file, which has what was written to the disk and nothing of what the system still keeps in memory."""

    def __init__(self, folder: Path, image: Path) -> None:
        self.folder = folder
        self._image = image

    @contextmanager
    def after_a_power_cut(self) -> Iterator[Path]:
        """What would be on the disk if the power were cut now; nobody may be writing."""
        copy, there = self._image.with_name("copy"), self._image.with_name("afterwards")
        subprocess.run(("cp", "--sparse=always", self._image, copy), check=True)
        with mounted(there, "-o", "loop", str(copy)) as disk:
            yield disk
        there.rmdir()


@contextmanager
def ext4(folder: Path, size_bytes: int) -> Iterator[Disk]:
    """A disk of so many bytes."""
    image = folder / "image"
    image.touch()
    os.truncate(image, size_bytes)
    subprocess.run(("mkfs.ext4", "-q", str(image)), check=True, env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"})
    with mounted(folder / "disk", "-o", f"loop,{_LAZY}", str(image)) as disk:
        yield Disk(disk, image)
