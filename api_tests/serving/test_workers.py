"""Several workers as one server: real processes, real sockets."""

import asyncio
import errno
import multiprocessing
import os
import re
import resource
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from socket import socket

import msgspec
import pytest

from api_tests.waiting import MS, eventually
from app.serving import workers
from app.serving.run import listen_for_workers
from app.serving.workers import READY, Supervisor, Work, Worker
from app.settings import Settings

FAILED = 3
NEXT_IN_S = re.compile(r"next_in_s\W+([0-9.]+)")
PATIENCE_S = 60.0


def _answer_each(number: int, listener: socket, pipe: Connection) -> None:
    """Says its number and process; whoever says `die` or `end` gets no answer."""
    listener.setblocking(True)
    pipe.send_bytes(READY)
    while True:
        peer, _ = listener.accept()
        with peer:
            word = peer.recv(16)
            if word in {b"die", b"end"}:
                os._exit(FAILED if word == b"die" else 0)
            peer.sendall(f"{number} {os.getpid()}".encode())


def _fail_if_second(number: int, listener: socket, pipe: Connection) -> None:
    if number > 1:
        os._exit(FAILED)
    _answer_each(number, listener, pipe)


def _fail_after_the_first_time(number: int, listener: socket, pipe: Connection) -> None:
    marker = Path(os.environ["WORKER_MARKER"])
    if marker.exists():
        os._exit(0)
    marker.touch()
    _answer_each(number, listener, pipe)


def _ignore_sigterm(number: int, listener: socket, pipe: Connection) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _answer_each(number, listener, pipe)


async def _told(logged: Callable[[], str], event: str, times: int = 1) -> str:
    """What is logged until the event was told so often."""
    told = ""

    def is_told() -> bool:
        nonlocal told
        told += logged()
        return told.count(event) >= times

    await eventually(is_told)
    return told


class Running:
    """A supervisor that runs, and the server that its workers are."""

    def __init__(self, supervisor: Supervisor, port: int, serves: asyncio.Event) -> None:
        self.supervisor = supervisor
        self.port = port
        self.serves = serves
        self.task: asyncio.Task[int]

    async def ask(self, text: bytes = b"who") -> tuple[int, int] | None:
        """The number and process of the worker that answered; None: it gave none."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(text)
        try:
            answer = await reader.read()
        except ConnectionError:
            answer = b""
        writer.close()
        number, _, process = answer.partition(b" ")
        return (int(number), int(process)) if answer else None


@asynccontextmanager
async def _running(work: Work, count: int = 2, *, stop_within_s: float = PATIENCE_S) -> AsyncIterator[Running]:
    listeners = listen_for_workers(msgspec.structs.replace(Settings(), port=0), count)
    serves = asyncio.Event()
    supervisor = Supervisor(work, listeners, stop_within_s=stop_within_s, ready=serves.set)
    running = Running(supervisor, listeners[0].getsockname()[1], serves)
    running.task = asyncio.create_task(running.supervisor.run())
    try:
        yield running
    finally:
        running.supervisor.stop()
        running.supervisor.stop()
        await running.task


async def test_all_workers_serve_at_one_address_and_a_stop_ends_them():
    async with _running(_answer_each) as server:
        await server.serves.wait()
        processes: dict[int, int] = {}
        while len(processes) < 2:  # the system chooses; that one of two is never chosen does not happen
            number, process = await server.ask()
            processes[number] = process
        server.supervisor.stop()
        assert 0 == await server.task
        with pytest.raises(ConnectionRefusedError):
            await server.ask()
        for process in processes.values():
            with pytest.raises(ProcessLookupError):
                os.kill(process, 0)


async def test_a_dead_worker_is_replaced_and_who_connects_meanwhile_is_answered_by_the_next(logged: Callable[[], str]):
    async with _running(_answer_each, 1) as server:
        await server.serves.wait()
        _, before = await server.ask()
        assert await server.ask(b"die") is None
        number, after = await server.ask()  # it waits in the queue
        assert 1 == number
        assert before != after
        assert f'"status":{FAILED}' in await _told(logged, "worker died")


async def test_a_worker_that_cannot_start_stops_all_with_its_status():
    async with _running(_fail_if_second) as server:
        assert FAILED == await server.task
        assert not server.serves.is_set()


async def test_a_stop_is_heard_between_the_starts_of_two_workers(monkeypatch: pytest.MonkeyPatch):
    started = []
    async with _running(_answer_each, 4) as server:

        class Noted(Worker):
            def __init__(self, work: Work, number: int, listener: socket) -> None:
                super().__init__(work, number, listener)
                started.append(number)
                if number == 2:
                    asyncio.get_running_loop().call_soon(server.supervisor.stop)  # as the loop does for a signal

        monkeypatch.setattr(workers, "Worker", Noted)
        assert 0 == await server.task
        assert [1, 2] == started
        assert not server.serves.is_set()


@contextmanager
def _no_more_files_than(more: int) -> Iterator[None]:
    """The process may open so many more, and no other."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = [os.dup(0) for _ in range(more + 1)]
    for one in opened:
        os.close(one)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(opened), limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("more", [0, 2], ids=["its pipe", "its process"])
async def test_where_the_system_has_no_room_for_a_worker_the_start_fails_and_nobody_waits(logged: Callable[[], str], more: int):
    async with _running(_answer_each) as server:
        with _no_more_files_than(more):
            assert workers.CANNOT_START == await server.task
        assert "the system has no room for a worker" in logged()


async def test_where_it_has_no_room_for_the_second_one_the_first_is_stopped(monkeypatch: pytest.MonkeyPatch):
    class OnlyOne(Worker):
        def __init__(self, work: Work, number: int, listener: socket) -> None:
            if number > 1:
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            super().__init__(work, number, listener)

    monkeypatch.setattr(workers, "Worker", OnlyOne)
    async with _running(_answer_each) as server:
        assert workers.CANNOT_START == await server.task
        assert [] == multiprocessing.active_children()


async def test_a_worker_that_ends_well_is_no_failure(monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]):
    monkeypatch.setattr(workers, "YOUNG_S", 0.0)
    async with _running(_answer_each, 1) as server:
        await server.serves.wait()
        await server.ask(b"end")
        assert await server.ask() is not None
        told = await _told(logged, "worker stopped")
        assert '"level":"info"' in told
        assert "worker died" not in told


async def test_one_that_ends_well_before_it_serves_has_failed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    marker = tmp_path / "marker"
    marker.touch()
    monkeypatch.setenv("WORKER_MARKER", str(marker))
    async with _running(_fail_after_the_first_time, 1) as server:
        assert 1 == await server.task


async def test_a_worker_that_keeps_dying_is_started_ever_more_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]
):
    monkeypatch.setenv("WORKER_MARKER", str(tmp_path / "marker"))
    monkeypatch.setattr(workers, "FIRST_WAIT_S", 10 * MS)
    monkeypatch.setattr(workers, "MAX_WAIT_S", 30 * MS)
    async with _running(_fail_after_the_first_time, 1) as server:
        await server.serves.wait()
        await server.ask(b"die")
        told = await _told(logged, "worker died", 4)
        assert ["0.01", "0.02", "0.03", "0.03"] == NEXT_IN_S.findall(told)[:4]


async def test_a_worker_that_has_lived_long_is_replaced_at_once(monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]):
    monkeypatch.setattr(workers, "YOUNG_S", 0.0)
    async with _running(_answer_each, 1) as server:
        await server.serves.wait()
        await server.ask(b"die")
        assert await server.ask() is not None
        assert ["0.0"] == NEXT_IN_S.findall(await _told(logged, "worker died"))


async def test_who_does_not_end_in_time_is_killed():
    async with _running(_ignore_sigterm, 1, stop_within_s=50 * MS) as server:
        await server.serves.wait()
        server.supervisor.stop()
        assert 0 == await server.task


async def test_a_second_stop_kills_at_once():
    async with _running(_ignore_sigterm, 1) as server:
        await server.serves.wait()
        began = time.monotonic()
        server.supervisor.stop()
        server.supervisor.stop()
        assert 0 == await server.task
        assert PATIENCE_S > time.monotonic() - began


async def test_a_stop_while_a_dead_worker_waits_for_its_next_start_is_at_once(
    monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]
):
    monkeypatch.setattr(workers, "FIRST_WAIT_S", PATIENCE_S)
    async with _running(_answer_each, 1) as server:
        await server.serves.wait()
        await server.ask(b"die")
        await _told(logged, "worker died")
        server.supervisor.stop()
        async with asyncio.timeout(PATIENCE_S / 2):
            assert 0 == await server.task


async def test_a_pipe_that_becomes_readable_twice_before_anybody_looks_wakes_once():
    waiting = asyncio.get_running_loop().create_future()
    for _ in range(2):
        workers._wake(waiting)
    assert waiting.done()


def _end_at_once(_number: int, _listener: socket, _pipe: Connection) -> None:
    pass


async def test_who_has_ended_is_sent_no_signal(settings: Settings):
    with listen_for_workers(settings, 1)[0] as listener:
        worker = Worker(_end_at_once, 1, listener)
        assert 0 == await worker.ended()
        worker.signal(signal.SIGTERM)  # there is no such process, or it is another one by now
