"""Functions that want to know when something happened. One that fails is logged and stops nobody else."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Generic, ParamSpec, TypeVar

import structlog

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., object])
_log = structlog.get_logger()


class Hooks(Generic[P]):
    """A list of functions, plain or async. Async ones run as tasks of their own; their errors are logged."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._functions: list[Callable[P, object]] = []
        self.running: set[asyncio.Task[None]] = set()
        """Async functions that are not done yet."""

    def __call__(self, function: F) -> F:
        """Add a function; usable as a decorator."""
        self._functions.append(function)
        return function

    def remove(self, function: Callable[P, object]) -> None:
        """Take a function away. Raises ValueError when it is not there."""
        self._functions.remove(function)

    def fire(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call all of them, in the order in which they were added."""
        for function in tuple(self._functions):
            try:
                outcome = function(*args, **kwargs)
            except Exception:
                _log.exception("hook failed", hook=self.name, function=_name_of(function))
            else:
                if outcome is not None and inspect.isawaitable(outcome):
                    task = asyncio.ensure_future(self._finish(function, outcome))
                    self.running.add(task)
                    task.add_done_callback(self.running.discard)

    async def _finish(self, function: Callable[P, object], outcome: Awaitable[object]) -> None:
        try:
            await outcome
        except Exception:
            _log.exception("hook failed", hook=self.name, function=_name_of(function))


def _name_of(function: Callable[..., object]) -> str:
    return getattr(function, "__qualname__", repr(function))
