"""A `wsx serve` in a process of its own, and what it holds in memory."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from api_tests.abuse.sockets import in_process
from api_tests.cli.command import Operator, Serving
from api_tests.server import ADMIN_KEY, SECRET

MIB = 2**20
IS_LONG = os.environ.get("ABUSE") == "long"
"""Whether the figures of the long form are wanted (`make abuse`), or a short form of it."""


class Victim:
    """The server under abuse."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self.url = serving.url
        self.port = int(serving.url.rpartition(":")[2])
        self.pid = serving.process.pid
        self._proc = Path(f"/proc/{self.pid}")

    @property
    def log(self) -> str:
        """All that it has logged."""
        return self._serving.err

    def rss_bytes(self) -> int:
        """What it holds now."""
        return self._status("VmRSS")

    def forget_peak(self) -> int:
        """From now on the peak is counted anew; what it holds now."""
        (self._proc / "clear_refs").write_text("5")
        return self.rss_bytes()

    def peak_bytes(self) -> int:
        """The most that it has held since then."""
        return self._status("VmHWM")

    def descriptors(self) -> int:
        """All that it has open."""
        return len(list((self._proc / "fd").iterdir()))

    def sockets(self) -> int:
        """Descriptors of sockets that it has open, the listening one included."""
        return in_process(self.pid)

    def _status(self, name: str) -> int:
        return int(re.search(rf"{name}:\s+(\d+) kB", (self._proc / "status").read_text())[1]) * 1024


@asynccontextmanager
async def victim(operator: Operator, **settings: str) -> AsyncIterator[Victim]:
    """With the settings that ship, and these."""
    how = {"admin_key": ADMIN_KEY, "token_secret": SECRET, "log_format": "json"} | settings
    async with operator.serves(**how) as serving:
        yield Victim(serving)
