"""Logs: one event is one line, JSON where no person watches. Context is bound once, by request or connection.

structlog escapes control characters in both renderings, so a forged line break in a name cannot make a line of its own.
"""

import asyncio
import atexit
import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Literal

import msgspec
import structlog
from structlog.typing import EventDict, Processor

from app.kernel.clock import utc_now

_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
"""Without the values of local variables: tokens and keys are among them."""

_CONTROLS = re.compile("[\x80-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What JSON leaves as it is, and a terminal obeys: control characters beyond ASCII, line breaks, and turns of the direction."""

_process: dict[str, str] = {}
"""What is in every line."""

LogFormat = Literal["console", "json"]


class _Lines:
    """Writes lines to stderr, in their order. Those up to INFO leave at the end of their turn of the event loop, in one write.

    A busy server has many requests in one turn, and a write for each line was 9 µs of each request. What is worse than INFO is
    written at once, with all that waits: it may be the last that is heard. A process that is killed loses the lines of one turn.
    """

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._flushed_by: asyncio.AbstractEventLoop | None = None
        self._lock = RLock()  # also of the same thread: a warning may come out of an allocation in here

    def info(self, line: str) -> None:
        """Write the line when this turn ends; where no loop runs, now."""
        with self._lock:
            self._waiting.append(line)
            loop = _running_loop()
            if loop is None:
                self.flush()
            elif loop is not self._flushed_by:  # the loop before may have stopped without another turn
                self._flushed_by = loop
                loop.call_soon(self.flush)

    debug = info

    def error(self, line: str) -> None:
        """Write the line now."""
        with self._lock:
            self._waiting.append(line)
            self.flush()

    warning = critical = error

    def write(self, text: str) -> None:
        """Write a text that has its line break: what `logging` calls its stream with."""
        self.error(text.removesuffix("\n"))

    def flush(self) -> None:
        """Write all that waits."""
        with self._lock:
            lines, self._waiting, self._flushed_by = self._waiting, [], None
            if lines:
                sys.stderr.write("\n".join([*lines, ""]))  # what it is now: a program may give itself another stderr
                sys.stderr.flush()


LINES = _Lines()
atexit.register(LINES.flush)


def configure(log_format: LogFormat | None = None, level: int = logging.INFO) -> None:
    """Set up structlog, and send what libraries log by `logging` through it.

    `log_format` None: `console` when stderr is a terminal, else `json`.
    """
    chosen = log_format or ("console" if sys.stderr.isatty() else "json")
    rendering: list[Processor] = (
        [
            _with_process,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback),
        ]
        if chosen == "console"
        else [_as_json]
    )
    structlog.configure(
        processors=rendering,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: LINES,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(LINES)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering])
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)


@contextmanager
def in_all_lines(**context: str) -> Iterator[None]:
    """Put this into every line of the process: what is bound by `structlog.contextvars` stays in the task that bound it."""
    _process.update(context)
    try:
        yield
    finally:
        for name in context:
            _process.pop(name, None)


def _with_process(_logger: object, _level: str, event: EventDict) -> EventDict:
    return {**_process, **event} if _process else event


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _as_json(logger: object, level: str, event: EventDict) -> str:
    """Context, level, time and traceback, and the line, in one step: a processor of structlog for each took twice as long."""
    event = structlog.contextvars.merge_contextvars(logger, level, _with_process(logger, level, event))
    event["level"] = level
    event["timestamp"] = utc_now()
    if "exc_info" in event:
        event = _TRACEBACKS(logger, level, event)
    try:
        line = msgspec.json.encode(event, enc_hook=str).decode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can only have escaped
        return json.dumps(event, default=str)
    return line if line.isascii() else _CONTROLS.sub(_escaped, line)


def _escaped(control: re.Match[str]) -> str:
    return f"\\u{ord(control[0]):04x}"
