"""The command in a process of its own, and in this one."""

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api_tests.cli.command import Operator, Outcome
from app.cli.command import main


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


@pytest.fixture
def process_as_before() -> Iterator[None]:
    """What a server changes of its process is put back."""
    thresholds, path = gc.get_threshold(), sys.path[:]
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    sys.path[:] = path
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def wsx(
    operator: Operator, process_as_before: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Runs a command in this process: fast, and its coverage counts."""
    monkeypatch.chdir(operator.folder)
    for name in [name for name in os.environ if name.startswith("WSX_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("PYTHONASYNCIODEBUG", raising=False)  # what it says of a busy machine would be taken for the command's

    def run(*arguments: str, **settings: str) -> Outcome:
        with monkeypatch.context() as here:
            for name, value in operator.environment(log_format="json", **settings).items():
                here.setenv(name, value)
            try:
                main(arguments)
            except SystemExit as end:
                return Outcome(end.code, *capsys.readouterr())
            return Outcome(0, *capsys.readouterr())

    return run
