"""Faults are made in processes of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api_tests.cli.command import Operator
from api_tests.faults.scene import IS_LONG
from api_tests.reliability import Figures


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


@pytest.fixture
def is_long() -> bool:
    """The long form, of `make faults`, or the short one."""
    return IS_LONG


@pytest.fixture(scope="session")
def figures() -> Iterator[Figures]:
    """Of the rows that are measured; those of the long form are written down."""
    measured = Figures()
    yield measured
    if IS_LONG:
        measured.write()
