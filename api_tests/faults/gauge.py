"""How late the loop of a server comes to a timer, each time: told from inside, by a module that it loads as a site's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

NAME: Final = "gauge"
"""For `WSX_HANDLERS`."""
_SOURCE: Final = """
import asyncio, time
from app import wsx

tasks = []

async def gauge():
    with open("late", "a") as late:
        while True:
            began = time.monotonic()
            await asyncio.sleep(EVERY_S)
            late.write(f"{time.monotonic() - began - EVERY_S} {wsx.hub.is_draining}\\n")
            late.flush()

@wsx.on_connection
def begin(connection):
    if not tasks:
        tasks.append(asyncio.create_task(gauge()))
"""


class LoopGauge:
    """Of the servers that run in this folder, one after the other. Each begins with its first connection."""

    def __init__(self, folder: Path, every_s: float) -> None:
        (folder / f"{NAME}.py").write_text(_SOURCE.replace("EVERY_S", str(every_s)))
        self._late = folder / "late"
        self._every_s = every_s

    def looks(self) -> int:
        """How often it has looked until now."""
        return len(self._lines())

    def lates_s(self, since: int = 0) -> Sequence[float]:
        """By how much it was late, each time after so many looks.

        Who is held up for a second does not look meanwhile: the looks that it would have had are in it, each as late as it would
        have been. Else a pause would be one look in a hundred, however long it is.
        """
        found = []
        for line in self._lines()[since:]:
            late_s = float(line.split()[0])
            found.append(late_s)
            while (late_s := late_s - self._every_s) > 0:
                found.append(late_s)
        return found

    def lates_while_draining_s(self) -> Sequence[float]:
        """Those while the server said its goodbyes."""
        return [float(line.split()[0]) for line in self._lines() if line.endswith("True")]

    def _lines(self) -> Sequence[str]:
        return self._late.read_text().splitlines() if self._late.exists() else []
