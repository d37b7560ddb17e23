"""Many cases of one test that need no server each: to start one takes longer than to ask it."""

from collections.abc import Awaitable, Callable, Iterable
from inspect import Parameter, signature
from typing import Any

import pytest


def on_one_server(names: str | tuple[str, ...], cases: Iterable[Any]) -> Callable[[Callable[..., Awaitable[None]]], Any]:
    """As `pytest.mark.parametrize`, but all cases have the same fixtures, one after the other, and each is a subtest."""
    by_case = [{names: case} if isinstance(names, str) else dict(zip(names, case, strict=True)) for case in cases]

    def declare(function: Callable[..., Awaitable[None]]) -> Any:
        async def each(subtests: pytest.Subtests, **fixtures: Any) -> None:
            for case in by_case:
                with subtests.test(**case):
                    await function(**case, **fixtures)

        wanted = [one for name, one in signature(function).parameters.items() if name not in by_case[0]]
        fixture = Parameter("subtests", Parameter.KEYWORD_ONLY)
        as_asked = signature(function).replace(parameters=[*wanted, fixture])
        each.__dict__["__signature__"] = as_asked  # by which pytest knows the fixtures
        each.__name__, each.__doc__, each.__module__ = function.__name__, function.__doc__, function.__module__
        return each

    return declare
