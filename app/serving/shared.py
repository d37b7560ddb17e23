"""What all sockets of one server share: found by its configuration, as a protocol class has no place of its own for it."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


def one_per_server(make: Callable[[Any], T]) -> Callable[[Any], T]:
    """The function, called once for each configuration; it goes when that goes."""
    made: WeakKeyDictionary[Any, T] = WeakKeyDictionary()

    @wraps(make)
    def find(config: Any) -> T:
        found = made.get(config)
        if found is None:
            found = made[config] = make(config)
        return found

    return find
