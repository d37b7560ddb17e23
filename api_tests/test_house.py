"""Rules of the house that no linter knows."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60
MAX_FILES_OF_A_FEATURE = 8

TEXTS = {".py", ".toml", ".txt", ".md", ".html", ".js", ".css", ".json", ".sh", ".c", ".ini", ".yml", ""}


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def python_files() -> Iterator[Path]:
    return (path for path in tracked() if path.suffix == ".py")


def test_files_and_functions_are_short():
    too_long = []
    for path in python_files():
        text = path.read_text()
        lines = text.count("\n")
        if lines > MAX_FILE_LINES:
            too_long.append(f"{path.relative_to(ROOT)}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    too_long.append(f"{path.relative_to(ROOT)}: {node.name} has {length} lines")
    assert [] == too_long


def test_features_are_small():
    for folder in (ROOT / "app/features").iterdir():
        assert len(list(folder.glob("*.py"))) <= MAX_FILES_OF_A_FEATURE, folder.name


def test_nothing_names_the_machine_it_was_written_on():
    private = re.compile(r"/(?:home|root|Users|work)/[a-z]|(?:pypi|files)\.[a-z.]*(?:org|io)/|registry\.npmjs")
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked()
        if path.suffix in TEXTS and path != Path(__file__)
        for match in private.finditer(path.read_text(errors="replace"))
    ]
    assert [] == found


def test_every_dependency_is_pinned_and_no_host_is_named():
    text = (ROOT / "constraints.txt").read_text()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in text.splitlines() if "==" in line}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = chain(project["dependencies"], *project["optional-dependencies"].values())
    names = {re.split(r"[<>=!\[; ]", requirement)[0].lower().replace("_", "-") for requirement in wanted}
    assert set() == names - pinned
    assert "://" not in text


@pytest.mark.parametrize("line", [line for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line])
def test_what_is_installed_is_what_is_pinned(line: str):
    name, version = line.split("==")
    assert version == distribution(name).version


def test_an_ignored_rule_says_why():
    unexplained = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in python_files()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (path.is_relative_to(ROOT / "app") and re.search(r"# (?:noqa: [A-Z0-9, ]+|type: ignore\[[a-z, -]+\]|nosec \w+)$", line))
    ]
    assert [] == unexplained
