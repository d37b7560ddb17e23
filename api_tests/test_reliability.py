"""The page of figures: rows that were measured take the place of their older ones, the others stay."""

import re
from contextlib import suppress
from pathlib import Path

from api_tests.reliability import PAGE, ROWS, Figures


def rows(page: Path) -> dict[str, list[str]]:
    lines = [line.strip("| ").split(" | ") for line in page.read_text().splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in lines[1:]}


def test_a_row_has_the_range_of_its_runs_and_their_seeds(tmp_path: Path):
    figures = Figures()
    for seed, back_s in ((1, 0.76251), (2, 1.1834)):
        with figures.bars("R1", {"seed": seed, "said": 1_000 * seed, "back s": back_s}):
            pass
    figures.write(tmp_path / "page.md")
    assert ["said 1,000 to 2,000; back s 0.763 to 1.18", "2: 1 to 2"] == rows(tmp_path / "page.md")["R1"][2:4]


def test_what_is_not_measured_anew_stays_and_the_order_is_that_of_the_rows(tmp_path: Path):
    page = tmp_path / "page.md"
    for row, figure in (("D1", 1), ("R2", 2), ("D1", 3)):
        figures = Figures()
        with figures.bars(row, {"cuts": figure}):
            pass
        figures.write(page)
    assert {"R2": "cuts 2", "D1": "cuts 3"} == {row: cells[2] for row, cells in rows(page).items()}
    assert ["R2", "D1"] == list(rows(page))


def test_a_bar_that_was_broken_is_in_the_row(tmp_path: Path):
    figures = Figures()
    for seed, back_s in ((1, 0.7), (2, 7.0)):
        with suppress(AssertionError), figures.bars("R1", {"seed": seed, "back s": back_s}):
            assert back_s < 5
    figures.write(tmp_path / "page.md")
    assert ["back s 0.7 to 7.0", "2: 1 to 2; **a bar was broken in 1**"] == rows(tmp_path / "page.md")["R1"][2:4]


def test_who_measured_nothing_writes_nothing(tmp_path: Path):
    Figures().write(tmp_path / "page.md")
    assert not (tmp_path / "page.md").exists()


def test_every_command_of_the_page_runs_a_file_that_there_is():
    files = {found for row in ROWS.values() for found in re.findall(r"api_tests/\S+\.py", row.command)}
    assert [] == [name for name in files if not (PAGE.parent.parent / name).is_file()]
