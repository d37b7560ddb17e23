"""What a server's process and the kernel hold of its sockets.

`python -m api_tests.abuse.sockets PID PORT SOCKETS CONNECTIONS` ends once they hold no more than that. In a process of its own: one
look at 2,000 of them takes 40 ms, for which whoever measures meanwhile would stand still.
"""

import sys
import time
from contextlib import suppress
from pathlib import Path

LOOKS_EVERY_S = 0.25
_LISTENING, _TIME_WAIT = "0A", "06"
_ENDED = {_LISTENING, _TIME_WAIT}


def in_process(pid: int) -> int:
    """Descriptors of sockets that it has open, the listening one included."""
    found = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found += link.readlink().name.startswith("socket:")
    return found


def in_kernel(port: int) -> int:
    """TCP connections of this port of ours, also those that no process has any more. (`man 5 proc`, /proc/net/tcp)"""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(local.partition(":")[2], 16) == port and state not in _ENDED for _, local, _, state, *_ in lines)


if __name__ == "__main__":
    its_pid, its_port, sockets, connections = map(int, sys.argv[1:])
    while in_process(its_pid) > sockets or in_kernel(its_port) > connections:
        time.sleep(LOOKS_EVERY_S)
