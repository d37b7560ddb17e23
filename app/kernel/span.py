"""Spans, for parts that know nothing of who traces them."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final

Span = Callable[[str], AbstractContextManager[object]]
"""Around a piece of work that has this name: one of few, the same for all work of its kind."""

NO_SPAN: Final[Span] = nullcontext
"""Nobody traces."""
