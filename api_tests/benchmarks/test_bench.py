"""The command that proves the figures: it runs, checks each delivery, and says what is wrong with what it is given."""

import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from api_tests.missing import missing
from benchmarks.machine import HERE, Cores
from benchmarks.scenario import Bench, Failed
from benchmarks.scenarios.fanout import fan_out
from benchmarks.scenarios.history import KINDS, read_history
from benchmarks.scenarios.room import publish_to_room
from benchmarks.scenarios.talk import IN_ROOM, talk
from benchmarks.scenarios.writes import write

ENDS_WITHIN_S = 60.0
ANYWHERE = Cores(None, None)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    if shutil.which("cc") is None:
        missing("a C compiler: on Debian, apt install gcc libc6-dev")
    return Bench(tmp_path, ANYWHERE, HERE.parent, None, secrets.token_urlsafe(32), secrets.token_urlsafe(32))


def _says(*options: str, **variables: str) -> tuple[int, str]:
    """Its exit status and its complaint."""
    command = [sys.executable, "-m", "benchmarks", *options]
    done = subprocess.run(
        command,
        cwd=HERE.parent,
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_S,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_every_delivery_to_everybody_is_counted(bench: Bench):
    figures = fan_out(bench, "product", sockets=100, broadcasts=20)
    assert (2_000, 0) == (figures["deliveries"], figures["missing"])


def test_a_room_is_measured_though_pings_never_end(bench: Bench):
    figures = publish_to_room(bench, "product", sockets=200)
    assert 0 < figures["complete_p50_ms"] <= figures["complete_p99_ms"]


def test_what_is_said_in_a_lively_room_is_heard_by_all_and_answered(bench: Bench):
    figures = talk(bench, "product", talkers=8, messages=100)
    assert (100 * IN_ROOM, 0) == (figures["deliveries"], figures["missing"])


@pytest.mark.parametrize("how", ["writer", "plain"])
def test_messages_are_committed_in_both_ways(bench: Bench, how: str):
    figures = write(bench, "product", how, "SQLite", messages=160)
    assert all(figures[name] > 0 for name in ("messages_per_s", "p50_ms", "lone_messages_per_s", "lone_p50_ms"))


def test_a_history_is_made_and_read(bench: Bench):
    figures = read_history(bench, "product", store="SQLite", messages=2_000, asked=3, warm_up=1)
    assert {f"{kind}_p99" for kind in KINDS} | {"ready_s", "ready_empty_s"} <= figures.keys()
    assert 0 < figures["inbox_p50"] <= figures["inbox_p99"]


def test_a_server_that_does_not_start_says_why(bench: Bench):
    with pytest.raises(Failed, match="it did not start: wsx: WSX_ADMIN_KEY: at least 32 characters"):
        fan_out(bench._replace(key="short"), "product", sockets=1, broadcasts=1)


@pytest.mark.parametrize(
    ("options", "variables", "said"),
    [
        (("--runs", "0"), {}, "a whole number from 1 is wanted, not '0'"),
        (("--only", "nothing"), {}, "invalid choice: 'nothing'"),
        (("--app", "/nonexistent"), {}, "/nonexistent is no checkout of this project"),
        (("--before", "/nonexistent"), {}, "/nonexistent is no checkout of this project"),
        (("--recall", "/etc/passwd"), {}, "these are not files that --json wrote"),
        (("--only", "requests", "--runs", "1", "--alone"), {"CC": "/nonexistent"}, "CC=/nonexistent: there is no such compiler"),
    ],
    ids=["no turns", "no such scenario", "no checkout", "no checkout before", "no figures", "no compiler"],
)
def test_what_it_cannot_use_is_named(options: tuple[str, ...], variables: dict[str, str], said: str):
    status, complaint = _says(*options, **variables)
    assert 0 != status
    assert said in complaint
