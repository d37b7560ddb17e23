"""The demo."""

from collections.abc import Sequence
from typing import Any


def demo_routes(tokens: Any) -> Sequence[Any]:
    return ()
