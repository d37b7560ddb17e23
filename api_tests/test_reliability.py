"""The page of figures: rows that were measured take the place of their older ones, the others stay."""

import re
from contextlib import suppress
from pathlib import Path

import pytest

from api_tests.reliability import PAGE, ROWS, Figures, long_forms

LONG = {"FAULTS", "ABUSE", "SOAK_S"}


def rows(page: Path) -> dict[str, list[str]]:
    lines = [line.strip("| ").split(" | ") for line in page.read_text().splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in lines[1:]}


def test_a_row_has_the_range_of_its_runs_and_their_seeds(tmp_path: Path):
    figures = Figures()
    for seed, back_s in ((1, 0.76251), (2, 1.1834)):
        with figures.bars("R1", seed=seed) as found:
            found.update({"said": 1_000 * seed, "back s": back_s})
    figures.write(LONG, tmp_path / "page.md")
    assert ["said 1,000 to 2,000; back s 0.763 to 1.18", "2: 1 to 2"] == rows(tmp_path / "page.md")["R1"][2:4]


def test_what_is_not_measured_anew_stays_and_the_order_is_that_of_the_rows(tmp_path: Path):
    page = tmp_path / "page.md"
    for row, figure in (("D1", 1), ("R2", 2), ("D1", 3)):
        figures = Figures()
        with figures.bars(row) as found:
            found["cuts"] = figure
        figures.write(LONG, page)
    assert {"R2": "cuts 2", "D1": "cuts 3"} == {row: cells[2] for row, cells in rows(page).items()}
    assert ["R2", "D1"] == list(rows(page))


def test_a_bar_that_was_broken_is_in_the_row(tmp_path: Path):
    figures = Figures()
    for seed, back_s in ((1, 0.7), (2, 7.0)):
        with suppress(AssertionError), figures.bars("R1", seed=seed) as found:
            found["back s"] = back_s
            assert back_s < 5
    figures.write(LONG, tmp_path / "page.md")
    assert ["back s 0.7 to 7.0", "2: 1 to 2; **a bar was broken in 1**"] == rows(tmp_path / "page.md")["R1"][2:4]


def test_a_run_that_waited_in_vain_has_broken_a_bar_and_takes_the_place_of_an_older_row(tmp_path: Path):
    page = tmp_path / "page.md"
    for is_in_time in (True, False):
        figures = Figures()
        with suppress(TimeoutError), figures.bars("R8") as found:
            if not is_in_time:
                raise TimeoutError
            found["sockets gone s"] = 35.0
        figures.write(LONG, page)
    assert ["", "1; **a bar was broken in 1**"] == [cell.strip() for cell in rows(page)["R8"][2:4]]


def test_who_measured_nothing_writes_nothing(tmp_path: Path):
    Figures().write(LONG, tmp_path / "page.md")
    assert not (tmp_path / "page.md").exists()


def test_what_ran_in_its_short_form_is_not_written(tmp_path: Path):
    figures = Figures()
    for row in ("R1", "A-pings", "soak"):
        with figures.bars(row):
            pass
    for forms in ({"FAULTS"}, {"FAULTS", "SOAK_S"}):
        figures.write(forms, tmp_path / f"{len(forms)}.md")
    assert [["R1"], ["R1", "soak"]] == [list(rows(tmp_path / f"{size}.md")) for size in (1, 2)]


@pytest.mark.parametrize(
    ("asked", "forms"),
    [
        ({}, set()),
        ({"FAULTS": "long"}, {"FAULTS"}),
        ({"ABUSE": "long", "SOAK_S": "180"}, {"ABUSE", "SOAK_S"}),
        ({"SOAK_S": "0"}, set()),
    ],
)
def test_what_asks_for_a_long_form(monkeypatch: pytest.MonkeyPatch, asked: dict[str, str], forms: set[str]):
    for name in LONG:
        monkeypatch.delenv(name, raising=False)
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    assert forms == long_forms()


def test_every_row_has_its_long_form():
    assert {row.form for row in ROWS.values()} == LONG


def test_every_command_of_the_page_runs_a_file_that_there_is():
    files = {found for row in ROWS.values() for found in re.findall(r"api_tests/\S+\.py", row.command)}
    assert [] == [name for name in files if not (PAGE.parent.parent / name).is_file()]
