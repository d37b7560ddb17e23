"""Pages on a machine of their own: a network namespace, behind a cable that can be pulled. It takes root.

`python -m api_tests.faults.far URL COUNT`: so many pages, of users far0, far1 …, until its standard input ends. It says when all
are there.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path

from api_tests.cluster.processes import token_of
from api_tests.faults.crowd import RETRY_S, Page
from api_tests.missing import missing
from api_tests.waiting import eventually

ROOT = Path(__file__).parent.parent.parent
COMES_WITHIN_S = 60.0
_numbers = count(os.getpid())
AT_ONCE = 100


class Cable:
    """Between this machine and the far one."""

    def __init__(self) -> None:
        number = next(_numbers)
        self.address = f"198.18.{number % 256}.1"
        """Of this end. The network is the one for measurements (RFC 2544): nobody else is there."""
        self._far = f"198.18.{number % 256}.2"
        self._space = f"wsx{number}"
        self._here, self._there = f"wsx{number}a", f"wsx{number}b"

    def lay(self) -> None:
        """Make the far machine, and connect it."""
        if not shutil.which("ip"):
            missing("the program ip is missing (on Debian: apt install iproute2)")
        done = subprocess.run(("ip", "netns", "add", self._space), capture_output=True, text=True, check=False)
        if done.returncode:
            missing(f"network namespaces need root: {done.stderr.strip()}")
        self._ip("link", "add", self._here, "type", "veth", "peer", "name", self._there, "netns", self._space)
        self._ip("address", "add", f"{self.address}/30", "dev", self._here)
        self._ip("link", "set", self._here, "up")
        self._ip("-n", self._space, "address", "add", f"{self._far}/30", "dev", self._there)
        self._ip("-n", self._space, "link", "set", self._there, "up")

    def pull(self) -> None:
        """Nobody at either end is told."""
        self._ip("-n", self._space, "link", "set", self._there, "down")

    def mend(self) -> None:
        """The far machine is connected again."""
        self._ip("-n", self._space, "link", "set", self._there, "up")

    def remove(self) -> None:
        """The far machine is gone."""
        subprocess.run(("ip", "netns", "delete", self._space), stderr=subprocess.DEVNULL, check=False)  # if it was ever made

    def command(self, *command: str) -> tuple[str, ...]:
        """The same on the far machine."""
        return ("ip", "netns", "exec", self._space, *command)

    def _ip(self, *words: str) -> None:
        subprocess.run(("ip", *words), check=True)


@contextmanager
def far_machine() -> Iterator[Cable]:
    """It is connected."""
    cable = Cable()
    try:
        cable.lay()
        yield cable
    finally:
        cable.remove()


@asynccontextmanager
async def far_pages(cable: Cable, url: str, how_many: int) -> AsyncIterator[None]:
    """So many pages are connected from there."""
    command = cable.command(sys.executable, "-m", "api_tests.faults.far", url, str(how_many))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)
    try:
        async with asyncio.timeout(COMES_WITHIN_S):
            assert b"all are there\n" == await process.stdout.readline()
        yield
    finally:
        process.kill()
        await process.communicate()


async def be_there(url: str, how_many: int) -> None:
    """The pages come, and stay."""
    pages = [Page([url], RETRY_S, token=token_of(f"far{number}")) for number in range(how_many)]
    for start in range(0, how_many, AT_ONCE):
        await asyncio.gather(*(page.connect() for page in pages[start : start + AT_ONCE]))
        await eventually(lambda start=start: all(page.hellos for page in pages[: start + AT_ONCE]), COMES_WITHIN_S)
    sys.stdout.write("all are there\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(be_there(sys.argv[1], int(sys.argv[2])))
