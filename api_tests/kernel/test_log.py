"""The log: one event, one line; JSON for programs, words for people."""

import asyncio
import json
import logging
import subprocess
import sys
from contextlib import contextmanager
from io import StringIO

import pytest
import structlog

from app.kernel import log

FORGED = 'Ada\n{"event": "forged"}\r\x1b[2J'


class Terminal(StringIO):
    """A stderr that a person watches."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before():
    """The other tests log as JSON."""
    yield
    log.configure("json")


@contextmanager
def stderr(stream: StringIO):
    before, sys.stderr = sys.stderr, stream
    try:
        yield stream
    finally:
        sys.stderr = before


def test_an_event_is_one_line_of_json(capsys):
    log.configure("json")
    with structlog.contextvars.bound_contextvars(request_id="req-1"):
        structlog.get_logger().info("request", name=FORGED, status=200, odd=object)
    (line,) = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    assert ("request", "info", "req-1", 200, FORGED) == tuple(
        event[name] for name in ("event", "level", "request_id", "status", "name")
    )
    assert event["timestamp"].endswith("Z")


def test_what_a_terminal_obeys_is_written_escaped_and_letters_are_not(capsys):
    log.configure("json")
    name = "Zoë\x9b2J\u2028\u202eeda"
    structlog.get_logger().info("odd", name=name)
    text = capsys.readouterr().err
    assert r"Zoë\u009b2J\u2028\u202eeda" in text
    assert name == json.loads(text)["name"]


def test_half_of_a_surrogate_pair_is_written_escaped_and_stops_nobody(capsys):
    log.configure("json")
    structlog.get_logger().info("odd", name="a\ud800b", other=object)
    (line,) = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    assert ("odd", "a\ud800b") == (event["event"], event["name"])


@pytest.mark.parametrize("stream", [StringIO, Terminal])
def test_a_forged_line_break_makes_no_line_of_its_own_for_people_either(stream):
    with stderr(stream()) as seen:
        log.configure("console")
        structlog.get_logger().info("connection opened", name=FORGED)
        text = seen.getvalue()
    assert 1 == text.count("\n")
    assert "\x1b[2J" not in text
    assert "connection opened" in text


def test_a_terminal_gets_words_and_a_file_gets_json():
    with stderr(Terminal()) as seen:
        log.configure()
        structlog.get_logger().info("hello")
        assert "hello" in seen.getvalue()
        assert not seen.getvalue().startswith("{")
    with stderr(StringIO()) as seen:
        log.configure()
        structlog.get_logger().info("hello")
        assert "hello" == json.loads(seen.getvalue())["event"]


def test_what_libraries_log_comes_the_same_way_from_warnings_on(capsys):
    log.configure("json")
    logging.getLogger("uvicorn.error").info("not worth a line")
    logging.getLogger("uvicorn.error").warning("two lines\nof %s", "a library")
    (line,) = capsys.readouterr().err.splitlines()
    assert ("two lines\nof a library", "warning") == (json.loads(line)["event"], json.loads(line)["level"])


def test_a_traceback_is_there_without_the_values_of_variables(capsys):
    log.configure("json")
    secret = "wsx_" + "s" * 20
    try:
        int(secret[:3])
    except ValueError:
        structlog.get_logger().exception("request failed")
    text = capsys.readouterr().err
    assert "ValueError" == json.loads(text)["exception"][0]["exc_type"]
    assert secret not in text


def test_a_level_leaves_out_what_is_below(capsys):
    log.configure("json", logging.ERROR)
    structlog.get_logger().warning("not this")
    logging.getLogger("library").warning("nor this")
    structlog.get_logger().error("but this")
    assert ["but this"] == [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]


class Counted(StringIO):
    """A stderr that knows how often it was written to."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


def events(stream: StringIO) -> list[str]:
    return [json.loads(line)["event"] for line in stream.getvalue().splitlines()]


async def test_lines_of_one_turn_of_the_loop_leave_together_in_their_order():
    log.configure("json")
    with stderr(Counted()) as seen:
        for number in range(3):
            structlog.get_logger().info(f"line {number}")
        assert "" == seen.getvalue()
        await asyncio.sleep(0)
        assert (["line 0", "line 1", "line 2"], 1) == (events(seen), seen.writes)
        structlog.get_logger().info("line 3")
        await asyncio.sleep(0)
        assert ("line 3", 2) == (events(seen)[-1], seen.writes)


@pytest.mark.parametrize("level", ["warning", "error", "critical", "exception"])
async def test_what_is_worse_leaves_at_once_with_all_that_waits_before_it(level):
    log.configure("json")
    with stderr(Counted()) as seen:
        structlog.get_logger().info("a request")
        getattr(structlog.get_logger(), level)("trouble")
        logging.getLogger("library").error("more trouble")
        assert ["a request", "trouble", "more trouble"] == events(seen)
        await asyncio.sleep(0)
        assert 2 == seen.writes


def test_a_line_that_a_loop_left_behind_leaves_with_the_next_of_another():
    log.configure("json")

    async def say(text: str, turns: int) -> None:
        structlog.get_logger().info(text)
        for _ in range(turns):
            await asyncio.sleep(0)

    with stderr(StringIO()) as seen:
        loop = asyncio.new_event_loop()
        loop.call_soon(loop.stop)  # before the line is said: there is no turn left in which it could leave
        task = loop.create_task(say("first", turns=0))
        loop.run_forever()
        loop.close()
        assert (True, []) == (task.done(), events(seen))
        asyncio.run(say("second", turns=1))
        assert ["first", "second"] == events(seen)


@pytest.mark.parametrize("end", ["", "raise SystemExit(3)", "raise RuntimeError"])
def test_a_process_that_ends_says_first_what_it_had_to_say(end):
    code = f"""
import asyncio, structlog
from app.kernel import log
log.configure("json")
async def main():
    structlog.get_logger().info("the last line")
    asyncio.get_running_loop().stop()
    {end}
loop = asyncio.new_event_loop()
task = loop.create_task(main())
loop.run_forever()
task.result()
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 1 == ended.stderr.count('"event":"the last line"'), ended.stderr
