"""Workers answer for each other."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from api_tests.waiting import MS, SOON_S
from app.monitoring import workers as workers_module
from app.monitoring.families import Family, Renderer
from app.monitoring.workers import WorkerPlace, Workers

THREE = 3


def worker(folder: Path, number: int) -> Workers:
    place = WorkerPlace(number, THREE, folder)

    async def tell() -> Sequence[Family]:
        family = CounterMetricFamily("seen", "What it saw", labels=["what"])
        family.add_metric(['odd "name"\n'], 10 * number)
        return [await Renderer(place.labels).rendered(family)]

    return Workers(place, tell)


@asynccontextmanager
async def running(folder: Path, *numbers: int) -> AsyncIterator[list[Workers]]:
    async with AsyncExitStack() as stack:
        started = [worker(folder, number) for number in numbers]
        for one in started:
            await stack.enter_async_context(one.running())
        yield started


async def told_by(one: Workers) -> tuple[dict[str, float], dict[str, float]]:
    """Which are up, and what each saw."""
    text = b"".join(part for family in await one.all() for part in family).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert 2 == len(families) == text.count("# TYPE")  # one of each, whoever answers
    up, seen = ({sample.labels["worker"]: sample.value for sample in families[name].samples} for name in ("wsx_worker_up", "seen"))
    assert {'odd "name"\n'} == {sample.labels["what"] for sample in families["seen"].samples}
    return up, seen


async def test_whoever_is_asked_tells_of_all(tmp_path: Path):
    async with running(tmp_path, 1, 2, 3) as started:
        for one in started:
            assert ({"1": 1, "2": 1, "3": 1}, {"1": 10, "2": 20, "3": 30}) == await told_by(one)
    assert [] == [*tmp_path.iterdir()]


async def test_one_that_is_gone_is_said_to_be_and_the_others_are_told(tmp_path: Path):
    async with running(tmp_path, 1, 3) as (first, _):
        assert ({"1": 1, "2": 0, "3": 1}, {"1": 10, "3": 30}) == await told_by(first)


async def test_one_that_does_not_answer_in_time_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workers_module, "ASK_S", 50 * MS)
    given_up = asyncio.Event()

    async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x91")  # it began to
        await reader.read()
        writer.close()
        given_up.set()

    async with await asyncio.start_unix_server(hangs, tmp_path / "2"), running(tmp_path, 1) as (first,):
        assert ({"1": 1, "2": 0, "3": 0}, {"1": 10}) == await told_by(first)
        async with asyncio.timeout(SOON_S):
            await given_up.wait()


@pytest.mark.parametrize("answer", [b"", b"\x91", b"no such thing"])
async def test_one_that_dies_in_the_middle_of_its_answer_is_gone(tmp_path: Path, answer: bytes):
    async def dies(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async with await asyncio.start_unix_server(dies, tmp_path / "3"), running(tmp_path, 1, 2) as (first, _):
        assert ({"1": 1, "2": 1, "3": 0}, {"1": 10, "2": 20}) == await told_by(first)


async def test_the_socket_of_a_killed_one_is_taken_by_the_next(tmp_path: Path):
    (await asyncio.start_unix_server(lambda _reader, writer: writer.close(), tmp_path / "1")).close()
    assert (tmp_path / "1").exists()  # nobody listens any more
    async with running(tmp_path, 1, 2) as (_, second):
        assert {"1": 1, "2": 1, "3": 0} == (await told_by(second))[0]
