"""Logs: one event is one line, JSON where no person watches. Context is bound once, by request or connection.

structlog escapes control characters in both renderings, so a forged line break in a name cannot make a line of its own.
"""

import logging
import sys
from typing import Literal, TextIO, cast

import msgspec
import structlog

_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
"""Without the values of local variables: tokens and keys are among them."""

LogFormat = Literal["console", "json"]


class _Stderr:
    """What `sys.stderr` is when a line is written: loggers are made once, and a program may give itself another stderr later."""

    def write(self, text: str) -> None:
        sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure(log_format: LogFormat | None = None, level: int = logging.INFO) -> None:
    """Set up structlog, and send what libraries log by `logging` through it.

    `log_format` None: `console` when stderr is a terminal, else `json`.
    """
    chosen = log_format or ("console" if sys.stderr.isatty() else "json")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if chosen == "console"
        else [_TRACEBACKS, structlog.processors.JSONRenderer(serializer=_to_json)]
    )
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Stderr())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_Stderr())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)


def _to_json(event: object, **_: object) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
