"""How long is the event loop held? Told from inside the server, which loads this module as an operator's own (`WSX_HANDLERS`).

A timer that should fire every millisecond notes the longest time between two of its turns. SIGUSR1 writes the figures into the file
that LOOP_GAUGE_FILE names, and begins anew. The timer starts with the first connection, as before it there is no loop to ask.
"""

import asyncio
import gc
import json
import os
import signal
import time
from pathlib import Path

from app import Connection, wsx

FULL = 2
"""The oldest generation: its collection is a full one."""
INTERVAL_S = 0.001


class Gauge:
    """The longest times of each kind since the last reading, in seconds."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.collecting_since = 0.0
        self.collected = False
        self.begin()

    def begin(self) -> None:
        """Forget what was noted."""
        self.held_s = self.held_collecting_s = self.collection_s = self.busy_s = 0.0
        self.last_s, self.last_busy_s = time.perf_counter(), time.thread_time()

    def start(self) -> None:
        """Called in the loop."""
        self.loop = asyncio.get_running_loop()
        self.loop.add_signal_handler(signal.SIGUSR1, self.write)
        self.begin()
        self.tick()

    def tick(self) -> None:
        """The timer's turn."""
        now_s, busy_s = time.perf_counter(), time.thread_time()
        held_s = now_s - self.last_s - INTERVAL_S
        if self.collected:
            self.held_collecting_s = max(self.held_collecting_s, held_s)
        else:
            self.held_s = max(self.held_s, held_s)
            self.busy_s = max(self.busy_s, busy_s - self.last_busy_s)
        self.collected = False
        self.last_s, self.last_busy_s = now_s, busy_s
        if self.loop is not None:
            self.loop.call_later(INTERVAL_S, self.tick)

    def collection(self, phase: str, info: dict[str, int]) -> None:
        """What the garbage collector calls when it begins and when it ends."""
        if info["generation"] < FULL:
            return
        if phase == "start":
            self.collecting_since = time.perf_counter()
            return
        self.collected = True
        self.collection_s = max(self.collection_s, time.perf_counter() - self.collecting_since)

    def write(self) -> None:
        """Put the figures, in milliseconds, into the file, and begin anew."""
        path = Path(os.environ["LOOP_GAUGE_FILE"])
        figures = {
            "held_ms": self.held_s,
            "held_busy_ms": self.busy_s,
            "held_collecting_ms": self.held_collecting_s,
            "collection_ms": self.collection_s,
        }
        part = path.with_suffix(".part")
        part.write_text(json.dumps({name: seconds * 1e3 for name, seconds in figures.items()}))
        part.rename(path)
        self.begin()


gauge = Gauge()
gc.callbacks.append(gauge.collection)


@wsx.on_connection
def start_with_the_first(_connection: Connection) -> None:
    if gauge.loop is None:
        gauge.start()
