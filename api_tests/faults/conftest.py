"""Faults are made in processes of their own."""

from pathlib import Path

import pytest

from api_tests.cli.command import Operator
from api_tests.faults.scene import IS_LONG


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


@pytest.fixture
def is_long() -> bool:
    """The long form, of `make faults`, or the short one."""
    return IS_LONG
