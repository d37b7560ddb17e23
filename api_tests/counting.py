"""What something costs, in calls: the same figure on every machine."""

import gc
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Calls by kind: `call` of Python functions, `c_call` of others; and by the name of the function."""
    found: Counter[str] = Counter()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event in {"call", "c_call"}:
            found[event] += 1
            found[frame.f_code.co_qualname if event == "call" else argument.__name__] += 1

    gc.disable()  # a collection would call what others hung on it
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)
        gc.enable()
