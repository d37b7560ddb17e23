"""Faults are made in processes of their own."""

from collections.abc import Generator
from pathlib import Path

import pytest

from api_tests.cli.command import Operator
from api_tests.faults.scene import IS_LONG


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is marked as long runs in the long form only: broken servers that it takes long, or some luck, to find out."""
    if not IS_LONG:
        left_out = [item for item in items if item.get_closest_marker("long")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what failed otherwise than by coming too late: `make test` gives that no second try."""
    report = yield
    if report.failed and call.excinfo is not None and not call.excinfo.errisinstance(TimeoutError):
        cache = item.config.cache
        if cache is not None:
            cache.set("faults/wrong", [*cache.get("faults/wrong", []), item.nodeid])
    return report


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


@pytest.fixture
def is_long() -> bool:
    """The long form, of `make faults`, or the short one."""
    return IS_LONG
