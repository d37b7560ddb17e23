"""Several processes as one server: started, watched, started again when they die, stopped together.

Each worker accepts from a listening socket of its own; all of them have one address (`SO_REUSEPORT`), and the system spreads
connections evenly over them. One socket that all accept from would fill the worker that wakes first. The sockets belong to the
supervisor: who connects while a worker is dead waits for the next one and is not refused.

A pipe leads from each worker to the supervisor. The worker says by it that it serves, and learns by its end that the supervisor
is gone, however that died: then it stops, too.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from socket import socket

import structlog

from app.kernel.clock import monotonic

YOUNG_S = 10.0
"""A worker that ends sooner than this after its start may end again at once: the next one is waited with."""
FIRST_WAIT_S = 1.0
MAX_WAIT_S = 30.0
"""So long it waits at most; each time twice as long as the time before."""
READY = b"ready"
CANNOT_START = 1
"""The exit status of a worker for which the system has no room."""

Work = Callable[[int, socket, Connection], None]
"""What a worker does in its process: serve on this socket until SIGTERM, and say READY once it does. First: its number, from 1."""

_log = structlog.get_logger()
_processes = get_context("spawn")  # a fork would copy whatever the supervisor's threads hold at that moment


class Worker:
    """One process, from its start to its end."""

    def __init__(self, work: Work, number: int, listener: socket) -> None:
        """Raises OSError when the system has no room for another process, or for its pipe."""
        self._pipe, end = _processes.Pipe()
        self.process: BaseProcess = _processes.Process(target=work, args=(number, listener, end), name=f"worker {number}")
        with end:
            try:
                self.process.start()
            except OSError:
                self._pipe.close()
                raise

    async def is_ready(self) -> bool:
        """Wait until it serves. False: it died before."""
        await _readable(self._pipe.fileno())
        try:
            return self._pipe.recv_bytes() == READY
        except (EOFError, OSError):
            return False

    async def ended(self) -> int:
        """Wait for its end. Its exit status; below zero: the signal that killed it."""
        await _readable(self.process.sentinel)
        self.process.join()
        self._pipe.close()
        return self.process.exitcode or 0

    def signal(self, number: int) -> None:
        """Send the signal, if it is still there."""
        if self.process.is_alive() and self.process.pid is not None:
            os.kill(self.process.pid, number)


class Supervisor:
    """Keeps one worker for each listening socket."""

    def __init__(self, work: Work, listeners: Sequence[socket], *, stop_within_s: float, ready: Callable[[], None]) -> None:
        """`ready`: called once, when all workers serve. `stop_within_s`: who has not ended so long after SIGTERM is killed."""
        self._work = work
        self._listeners = listeners
        self._stop_within_s = stop_within_s
        self._ready = ready
        self._waited_for = len(listeners)
        """Workers that have not served yet, since the start."""
        self._workers: set[Worker] = set()
        self._first_is_over = asyncio.Event()
        """The first worker serves, or nobody is to serve any more."""
        self._stopping = asyncio.Event()
        self._status = 0

    async def run(self) -> int:
        """Serve until `stop`; the exit status. Above 0: a worker could not even start for the first time, and all were stopped."""
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._start(tasks)
                await self._stopping.wait()
                for listener in self._listeners:
                    listener.close()  # workers close theirs: from here on nobody is left waiting in a queue that nobody reads
                self._signal_all(signal.SIGTERM)
                killing = asyncio.get_running_loop().call_later(self._stop_within_s, self._signal_all, signal.SIGKILL)
            killing.cancel()
        finally:
            self._signal_all(signal.SIGKILL)  # a process that ends waits for those that it has started
        return self._status

    async def _start(self, tasks: asyncio.TaskGroup) -> None:
        """Start the first worker, and the others when it serves: what it cannot be started with is said once, and not by each."""
        for number, listener in enumerate(self._listeners, 1):
            tasks.create_task(self._keep(number, listener))
            await self._first_is_over.wait()
            await asyncio.sleep(0)  # to start a process takes a while; between two of them a signal is heard
            if self._stopping.is_set():
                return

    def stop(self) -> None:
        """Ask all workers to end, as SIGTERM asks one; the second time they are killed."""
        if self._stopping.is_set():
            self._signal_all(signal.SIGKILL)
        self._end()

    def _end(self) -> None:
        self._stopping.set()
        self._first_is_over.set()

    async def _keep(self, number: int, listener: socket) -> None:
        wait_s = 0.0
        is_first = True
        while not self._stopping.is_set():
            began_at = monotonic()
            is_ready, status = await self._run_one(number, listener, is_first=is_first)
            if self._stopping.is_set():
                return
            if not is_ready and is_first:
                self._status = status if status > 0 else 1
                self._end()
                return
            is_first = False
            lived_s = monotonic() - began_at
            wait_s = min(max(FIRST_WAIT_S, 2 * wait_s), MAX_WAIT_S) if lived_s < YOUNG_S else 0.0
            how = {"worker": number, "status": status, "lived_s": round(lived_s, 1), "next_in_s": wait_s}
            if is_ready and not status:
                _log.info("worker stopped", **how)
            else:
                _log.error("worker died", **how)
            await self._rest(wait_s)

    async def _run_one(self, number: int, listener: socket, *, is_first: bool) -> tuple[bool, int]:
        """Start a worker and wait for its end. Whether it served, and its exit status."""
        try:
            worker = Worker(self._work, number, listener)
        except OSError as error:
            _log.warning("the system has no room for a worker", worker=number, error=str(error))
            return False, CANNOT_START
        self._workers.add(worker)
        is_ready = await worker.is_ready()
        if is_ready and is_first:
            self._one_more_serves()
        status = await worker.ended()
        self._workers.discard(worker)
        return is_ready, status

    def _one_more_serves(self) -> None:
        self._first_is_over.set()
        self._waited_for -= 1
        if not self._waited_for:
            self._ready()

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _signal_all(self, number: int) -> None:
        for worker in self._workers:
            worker.signal(number)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    readable = loop.create_future()
    loop.add_reader(descriptor, _wake, readable)
    try:
        await readable
    finally:
        loop.remove_reader(descriptor)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
