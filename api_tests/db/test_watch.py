"""Whether the database is there: whatever it says to a look, looks go on."""

from collections.abc import Callable
from types import SimpleNamespace

from app.db.watch import Watch
from app.kernel.errors import Unavailable


async def test_one_that_refuses_to_be_asked_is_away_until_it_answers_and_that_is_logged_once(logged: Callable[[], str]):
    answers = [None, RuntimeError("the password is another one"), RuntimeError("the same"), Unavailable("away"), None]

    async def check() -> None:
        if (answer := answers.pop(0)) is not None:
            raise answer

    watch = Watch(SimpleNamespace(check=check))
    assert [True, False, False, False, True] == [await watch.look() for _ in tuple(answers)]
    assert 1 == logged().count("the database refuses to be asked")
    assert 0.0 == watch.away_s
