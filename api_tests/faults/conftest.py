"""Faults are made in processes of their own."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from api_tests.cli.command import Operator


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


@pytest.fixture
def is_long() -> bool:
    """Whether the figures of the promise are wanted (`make faults`), which take minutes, or a short form of them."""
    return os.environ.get("FAULTS") == "long"


@pytest.fixture
def report(pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Puts a line with figures among what pytest says."""
    terminal = pytestconfig.pluginmanager.get_plugin("terminalreporter")

    def write(line: str) -> None:
        with capsys.disabled():
            terminal.write_line(f"\n{line}")

    return write
