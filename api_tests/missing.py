"""What a test needs and the machine does not have."""

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip the test, and say why; in CI fail: a run that left out its proofs is no green run."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}; in CI nothing is skipped")
    pytest.skip(what)
