"""The words that every package uses: errors, ids, clocks, who somebody is, the flag of a transaction."""

import asyncio
import time
from datetime import UTC, timedelta

import pytest

from app.kernel import errors
from app.kernel.clock import monotonic, utc_now
from app.kernel.errors import AppError, FieldError, InvalidFields, Unauthenticated, Unavailable, WrongField
from app.kernel.identity import User
from app.kernel.ids import new_id, new_short_id
from app.kernel.transaction import PublishedInsideTransaction, marked_open, refuse_inside_transaction


def test_every_error_is_a_line_of_the_documented_table():
    table = [line.split() for line in errors.__doc__.splitlines() if line.startswith(("├─", "└─"))]
    documented = {(name, code, int(status)) for _, name, code, status, *_ in table}
    assert documented == {
        (kind.__name__, kind.code, kind.status) for kind in AppError.__subclasses__() if kind.__module__ == errors.__name__
    }


@pytest.mark.parametrize("kind", [errors.BadRequest, errors.Forbidden, errors.NotFound])
def test_an_error_says_what_it_was_given(kind):
    error = kind("what is wrong")
    assert ("what is wrong", "what is wrong", (), {}) == (str(error), error.detail, error.fields, error.headers)


def test_errors_that_ask_for_something_say_so_in_a_header():
    assert {"WWW-Authenticate": 'Bearer realm="wsx"'} == Unauthenticated("who?").headers
    assert {"Retry-After": "1"} == Unavailable("later").headers
    assert {"Retry-After": "30"} == Unavailable("later", retry_after_s=30).headers


def test_wrong_fields_are_all_named():
    error = InvalidFields([FieldError("/a", "missing"), FieldError("", "not an object")])
    assert ("/a: missing; the body: not an object", 2) == (error.detail, len(error.fields))
    assert ("swap", "unknown") == (WrongField("swap", "unknown").field, str(WrongField("swap", "unknown")))


def test_later_ids_sort_after_earlier_ones():
    made = [new_id() for _ in range(5_000)]
    assert sorted(made) == made
    assert 5_000 == len(set(made))
    assert {7} == {one.version for one in made}
    short = [new_short_id() for _ in range(5_000)]
    assert sorted(short) == short
    assert {32} == {len(one) for one in short}


def test_the_clock_of_people_is_in_utc_and_the_other_never_goes_back():
    assert UTC is utc_now().tzinfo
    assert timedelta(minutes=1) > abs(utc_now().timestamp() - time.time()) * timedelta(seconds=1)
    assert monotonic() <= monotonic()


def test_only_the_role_makes_an_admin():
    assert User("admin", "admin").is_admin is False
    assert User("ada", "Ada", frozenset({"premium", "admin"})).is_admin is True


def test_publishing_is_refused_just_while_a_transaction_is_open():
    refuse_inside_transaction()
    with marked_open():
        with marked_open():
            pass
        with pytest.raises(PublishedInsideTransaction, match="Move the call behind"):
            refuse_inside_transaction()
    refuse_inside_transaction()
    with pytest.raises(ZeroDivisionError), marked_open():
        _ = 1 / 0
    refuse_inside_transaction()


async def test_the_transaction_of_one_task_is_not_that_of_another():
    opened, done = asyncio.Event(), asyncio.Event()

    async def transaction() -> None:
        with marked_open():
            opened.set()
            await done.wait()

    task = asyncio.create_task(transaction())
    await opened.wait()
    refuse_inside_transaction()
    done.set()
    await task
