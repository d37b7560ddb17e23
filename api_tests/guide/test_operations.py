"""What `docs/operations.md` lists is what there is: settings, commands, metrics."""

import re
from pathlib import Path

import msgspec
import pytest

from api_tests.client import ApiClient
from api_tests.guide.pages import ROOT
from api_tests.server import Running
from app.cli.command import main
from app.settings import Settings

DOCS: dict[str, str] = {page.name: page.read_text() for page in Path(ROOT / "docs").glob("*.md")}
OPERATIONS = DOCS["operations.md"]


def test_every_setting_is_described_and_no_other() -> None:
    described = set(re.findall(r"`(WSX_[A-Z_]+)`", "".join(re.findall(r"^\|.*", OPERATIONS, re.MULTILINE))))
    assert {f"WSX_{field.name.upper()}" for field in msgspec.structs.fields(Settings)} == described


def test_every_default_is_the_one_that_is_told() -> None:
    defaults = {f"WSX_{field.name.upper()}": field.default for field in msgspec.structs.fields(Settings)}
    rows = re.findall(r"^\| ((?:`WSX_[A-Z_]+` ?)+)\| ([^|]*) \|", OPERATIONS, re.MULTILINE)
    told = [zip(re.findall(r"\w+", names), values.split(", "), strict=False) for names, values in rows]
    numbers = {name: float(value) for row in told for name, value in row if re.fullmatch(r"\d+(\.\d+)?", value)}
    assert {name: float(defaults[name]) for name in numbers} == numbers
    assert {"WSX_PORT", "WSX_PING_TIMEOUT_S", "WSX_OUTBOX_BYTES"} <= numbers.keys()


def test_every_command_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    commands = re.findall(r"^    (\w+) ", capsys.readouterr().out, re.MULTILINE)
    assert {"serve", "token"} <= set(commands)
    assert [] == [command for command in commands if f"`wsx {command}" not in OPERATIONS]


async def test_every_metric_is_described(server: Running, api: ApiClient) -> None:
    shown = re.findall(r"^# TYPE (wsx_\w+)", (await api.http.get("/metrics")).text, re.MULTILINE)
    assert "wsx_connections" in shown
    assert [] == [name for name in shown if f"`{name}" not in OPERATIONS]


async def test_every_metric_that_any_page_names_is_one(server: Running, api: ApiClient) -> None:
    shown = set(re.findall(r"^# TYPE (wsx_\w+)", (await api.http.get("/metrics")).text, re.MULTILINE))
    named = set(re.findall(r"`(wsx_[a-z_]+)(?:\{[a-z,]+\})?`", "".join(DOCS.values())))
    assert {"wsx_token", "wsx_worker_up"} >= named - shown  # a cookie; and what only several workers tell
