"""What templates may do with a caller's values: filters and tests that make little more of them, and a bound for all they do.

Listed is what may be used, not what may not: what a later Jinja brings is no part of it. The result of a filter is at most a small
multiple of what it is given, or is refused before it is made. All filters together, the rounds of loops and what `in` looks through
have `MAX_WORK`: without it a list within a list would be gone through a hundred million times.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Final

from jinja2 import Undefined, pass_environment, pass_eval_context
from jinja2.filters import FILTERS, do_format, do_replace, do_round, do_tojson, sync_do_sum
from jinja2.tests import TESTS

from app.features.content.cleaning import URL_SCHEMES

MAX_WORK: Final = 2_000_000
"""Of one template: some 0.15 s at most. The longest list that a context can hold may be gone through twice."""
STEP_WORK: Final = 50
"""Work of one round of a loop, or one use of a filter."""
ITEM_WORK: Final = 10
"""Work of looking at one item of a list; of a text a character is 1."""
MAX_DIGITS: Final = 15
"""Digits that a number is rounded to: a float has no more, and 10 to the power of a billion would fill the memory."""
FOR: Final = "gone through by for"
IN: Final = "looked through by in"
"""Filters that no template can name."""

_KEPT_FILTERS = """
abs capitalize count d default dictsort e escape filesizeformat first float forceescape groupby int items join last length list
lower map max min reject rejectattr reverse select selectattr sort string title trim truncate unique upper urlencode wordcount
"""
_KEPT_TESTS = """
!= < <= == > >= boolean defined divisibleby eq equalto even false float ge greaterthan gt integer iterable le lessthan lower lt
mapping ne none number odd sequence string true undefined upper
"""
"""Of Jinja's own. By name, as they are written in a template."""
_FORMAT = re.compile(r"(?:[^%]|%%|%[-+ 0]?\d{0,2}(?:\.\d{1,2})?[sdifeg])*")
"""Without `*`, and with no more than two digits: `%999999999d` would be a gigabyte of blanks."""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_IGNORED_IN_URLS = re.compile(r"[\x00-\x20]")
"""Browsers skip some of these in a scheme: `java\\nscript:`."""

_left: ContextVar[list[int] | None] = ContextVar("left", default=None)


class TooMuchWorkError(ValueError):
    """A template would do too much with what it was given."""


@contextmanager
def bounded() -> Iterator[None]:
    """What a template does in this block is at most `MAX_WORK`. Raises TooMuchWorkError in the middle of it."""
    token = _left.set([MAX_WORK])
    try:
        yield
    finally:
        _left.reset(token)


def spend(work: int) -> None:
    """Count it. What a template makes of its own constants is made when it is read, and not counted. Raises TooMuchWorkError."""
    left = _left.get()
    if left is None:
        return
    left[0] -= work
    if left[0] < 0:
        message = "too much is to be done with it"
        raise TooMuchWorkError(message)


def _length_of(value: object) -> int:
    """Characters, or items."""
    return len(value) if isinstance(value, Sized) and not isinstance(value, Undefined) else 0


def _listed(value: Any) -> Any:
    """What can be gone through once becomes a list: then it is known how long it is."""
    return list(value) if isinstance(value, Iterator) else value


def _spend_on_looking(value: object, others: tuple[object, ...] = ()) -> None:
    """A filter looks at all of a value; where that is a list, at each item with all that it was told."""
    told = sum(len(one) for one in others if isinstance(one, str))
    spend(STEP_WORK + (_length_of(value) + told if isinstance(value, str) else _length_of(value) * (ITEM_WORK + told)))


def _spend_on_all_of(value: object) -> None:
    """What was made is as large as all that is in it: a text that stands in a list a thousand times may become a thousand texts."""
    spend(1 + (len(value) if isinstance(value, str) else 0))
    if isinstance(value, Mapping):
        for name, one in value.items():
            _spend_on_all_of(name)
            _spend_on_all_of(one)
    elif isinstance(value, list | tuple):
        for one in value:
            _spend_on_all_of(one)


def _counted(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same filter, whose work is counted."""
    place = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def filtered(*given: Any, **named: Any) -> Any:
        value = _listed(given[place])
        others = given[place + 1 :]
        _spend_on_looking(value, (*others, *named.values()))
        made = _listed(function(*given[:place], value, *others, **named))
        _spend_on_all_of(made)
        return made

    return filtered


def _gone_through(value: Any) -> Any:
    value = _listed(value)
    spend(STEP_WORK * _length_of(value))
    return value


def _looked_through(value: Any) -> Any:
    value = _listed(value)
    _spend_on_looking(value)
    return value


def _is_in(value: Any, others: Any) -> bool:
    return value in _looked_through(others)


def _format(pattern: str, *values: Any) -> str:
    """`'%.2f'|format(price)`."""
    if not _FORMAT.fullmatch(pattern):
        message = "format takes %s, %d, %f and their like, with at most two digits before and behind the point"
        raise ValueError(message)
    return do_format(pattern, *values)


@pass_eval_context
def _replace(context: Any, text: Any, old: Any, new: Any, count: int | None = None) -> str:
    spend(str(text).count(str(old)) * len(str(new)))
    return do_replace(context, text, old, new, count)


def _round(value: float, precision: int = 0, method: Any = "common") -> float:
    if abs(precision) > MAX_DIGITS:
        message = f"numbers are rounded to {MAX_DIGITS} digits at most"
        raise ValueError(message)
    return do_round(value, precision, method)


@pass_environment
def _sum(environment: Any, numbers: Any, attribute: str | int | None = None) -> Any:
    """Of numbers alone: a sum of lists would be as long as all of them."""
    return sync_do_sum(environment, numbers, attribute)


@pass_eval_context
def _tojson(context: Any, value: Any) -> str:
    """On one line: each item on its own, so far to the right, would be as many blanks as somebody asks for."""
    return do_tojson(context, value)


def _url(value: object) -> str:
    """An address that leads somewhere and does nothing; of what is no text: that of the page itself. Raises ValueError."""
    text = value.strip() if isinstance(value, str) else ""
    scheme = _SCHEME.match(_IGNORED_IN_URLS.sub("", text))
    if scheme is not None and scheme[1].lower() not in URL_SCHEMES:
        message = f"an address must be relative, or begin with {', '.join(f'{one}:' for one in sorted(URL_SCHEMES))}"
        raise ValueError(message)
    return text


_OURS: Final[dict[str, Callable[..., Any]]] = {
    "format": _format,
    "replace": _replace,
    "round": _round,
    "sum": _sum,
    "tojson": _tojson,
    "url": _url,
}
FILTERS_OFFERED: Final = {
    name: _counted(function) for name, function in ({name: FILTERS[name] for name in _KEPT_FILTERS.split()} | _OURS).items()
}
TESTS_OFFERED: Final = {name: TESTS[name] for name in _KEPT_TESTS.split()} | {"in": _is_in}
"""By the names that templates use."""
HIDDEN_FILTERS: Final = {FOR: _gone_through, IN: _looked_through}
