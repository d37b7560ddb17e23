"""The process is killed between a commit that many share and their answers: all of it is there, once, and is pushed by the next."""

import asyncio
import sqlite3
from contextlib import closing

from api_tests.cli.command import Operator
from api_tests.client import ApiClient
from api_tests.server import ADMIN_KEY, SECRET
from api_tests.waiting import eventually

STOPS = """
from pathlib import Path
from app.db.lanes import Lane
from app.features import unsent

unsent.AGAIN_AFTER_S, unsent.LOOK_EVERY_S = 1.0, 0.1
answer = Lane._answer

def answer_unless_told(lane):
    if not Path("stop").exists():
        answer(lane)

Lane._answer = answer_unless_told
"""
"""A module of the site's own. With a file `stop` nothing is answered that is committed."""

PEOPLE = 40


def stored(operator: Operator, what: str) -> list[str]:
    with closing(sqlite3.connect(operator.database)) as connection:
        return sorted(one for (one,) in connection.execute(what))


async def test_what_was_committed_with_others_is_there_once_and_is_pushed_after_the_restart(operator: Operator):
    (operator.folder / "stops.py").write_text(STOPS)
    how = {"handlers": "stops", "admin_key": ADMIN_KEY, "token_secret": SECRET}
    said = sorted(f"said {number}" for number in range(PEOPLE))
    async with operator.serves(**how) as killed, ApiClient(killed.url, ADMIN_KEY) as api:
        await api.post("/rooms", {"id": "lobby"})
        (operator.folder / "stop").touch()
        asking = [asyncio.create_task(api.post("/rooms/lobby/messages", {"message": text})) for text in said]
        await eventually(lambda: len(stored(operator, "SELECT content FROM messages")) == PEOPLE)
        assert not any(task.done() for task in asking)
        killed.process.kill()
        await killed.process.wait()
        await asyncio.gather(*asking, return_exceptions=True)
    (operator.folder / "stop").unlink()
    assert PEOPLE == len(stored(operator, "SELECT id FROM unsent"))

    async with operator.serves(**how) as next_one, ApiClient(next_one.url, ADMIN_KEY) as api:
        await eventually(lambda: not stored(operator, "SELECT id FROM unsent"))
        listed = (await api.get("/rooms/lobby/messages?limit=200")).json()["items"]
        assert said == sorted(one["message"] for one in listed) == stored(operator, "SELECT content FROM messages")
        assert "Traceback" not in next_one.err
