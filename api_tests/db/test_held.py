"""A row that somebody holds: what needs it waits aside, in order, and its lane goes on."""

import asyncio
from collections.abc import Sequence
from typing import Any

from app.db import writes
from app.db.backend import Held
from app.db.writer import Writer
from app.db.writes import Kind
from app.kernel.errors import Unavailable


def echo(_connection: object, jobs: Sequence[str]) -> Sequence[str]:
    return jobs


ECHO: Kind[str, str] = Kind("echo", echo)


class Rows:
    """A database of which somebody holds a row: jobs that begin so need it. Who is patient waits until it is free, or given up."""

    def __init__(self, held: str) -> None:
        self.held = held
        self.stored: list[str] = []
        self.tries: list[str] = []
        self.waits = asyncio.Event()
        self.ends = asyncio.Event()

    async def commit(self, store: Any, *, is_patient: bool) -> Any:
        await asyncio.sleep(0)
        jobs = store(None)
        self.tries.append(" ".join(jobs))
        if any(job.startswith(self.held) for job in jobs if self.held):
            if is_patient:
                self.waits.set()
                await self.ends.wait()
            if not is_patient or self.held:
                raise Held("held")
        self.stored += jobs
        return jobs


def written(writer: Writer, jobs: str) -> list["asyncio.Task[str]"]:
    """Each to the place that its first character names."""
    return [asyncio.create_task(writer.write(ECHO, job, lane=job[0])) for job in jobs.split()]


async def test_others_of_the_lane_are_stored_while_one_waits_and_those_behind_it_stay_behind_it():
    rows = Rows("h")
    writer = Writer(rows.commit, lanes=1)
    held = written(writer, "h1")
    others = written(writer, "a1 b1 a2 c1")
    held += written(writer, "h2")
    assert ["a1", "b1", "a2", "c1"] == await asyncio.gather(*others)
    await rows.waits.wait()
    more = written(writer, "h3 d1 h4 d2")
    held += more[::2]
    assert ["d1", "d2"] == await asyncio.gather(*more[1::2])
    assert [] == [task for task in held if task.done()]
    rows.held = ""
    rows.ends.set()
    assert ["h1", "h2", "h3", "h4"] == await asyncio.gather(*held)
    assert ["h1", "h2", "h3", "h4"] == rows.stored[-4:]
    assert ["e1", "h5"] == await asyncio.gather(*written(writer, "e1 h5"))
    assert "e1 h5" == rows.tries[-1]  # it has left its place aside
    await writer.close()


async def test_what_waits_for_too_long_is_refused_and_so_is_what_needs_the_same_and_nothing_else():
    rows = Rows("h")
    writer = Writer(rows.commit, lanes=1)
    held, others = written(writer, "h1 h2"), written(writer, "a1 a2")
    assert ["a1", "a2"] == await asyncio.gather(*others)
    rows.ends.set()
    refused = await asyncio.gather(*held, return_exceptions=True)
    assert [True, True] == [isinstance(error, Unavailable) for error in refused]
    assert ["a1", "a2"] == rows.stored


async def test_places_that_wait_take_turns():
    rows = Rows("h")
    writer = Writer(rows.commit, lanes=1)
    waiting = written(writer, "h1")
    await rows.waits.wait()
    rows.held = "i"
    waiting += written(writer, "i1")
    await asyncio.gather(*written(writer, "a1"))
    waiting += written(writer, "h2")
    await asyncio.gather(*written(writer, "b1"))
    rows.held = ""
    rows.ends.set()
    await asyncio.gather(*waiting)
    assert ["a1", "b1", "h1", "i1", "h2"] == rows.stored


async def test_who_waits_aside_for_too_long_is_answered(monkeypatch):
    rows = Rows("h")
    writer = Writer(rows.commit, lanes=1)
    first = written(writer, "h1")
    await rows.waits.wait()
    late = written(writer, "h2 a1")
    assert "a1" == await late[1]
    monkeypatch.setattr(writes, "monotonic", lambda: float("inf"))  # all time is over
    rows.held = ""
    rows.ends.set()
    assert "h1" == await first[0]
    refused = (await asyncio.gather(late[0], return_exceptions=True))[0]
    assert "the database is busy; nothing was stored, try again" == str(refused)
    assert ["a1", "h1"] == rows.stored
