"""The log: one event, one line; JSON for programs, words for people."""

import json
import logging
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
