"""What a node lets the journal forget: what is too old, and what too many bytes came after; never what it has not seen."""

import pytest

from app.journal import marks as module
from app.journal.marks import STEPS, Marks


def test_what_is_too_old_may_go_also_when_nothing_new_comes(monkeypatch: pytest.MonkeyPatch):
    now = 1_000.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    marks = Marks(max_age_s=STEPS, max_bytes=1_000)
    marks.note(7, 1)
    now += STEPS / 2
    marks.note(8, 1)
    assert 0 == marks.first_kept()
    now += STEPS / 2 + 0.5
    assert 8 == marks.first_kept()
    now += STEPS
    assert 9 == marks.first_kept()


def test_what_more_bytes_came_after_than_are_kept_may_go():
    marks = Marks(max_age_s=1_000, max_bytes=10 * STEPS)
    for number in range(1, STEPS + 1):
        marks.note(number, 10)
    assert 0 == marks.first_kept()
    marks.note(STEPS + 1, 10)
    assert 0 == marks.first_kept()
    marks.note(STEPS + 2, 10)
    assert 2 == marks.first_kept()


def test_in_another_life_nothing_may_go_before_something_came():
    marks = Marks(max_age_s=1_000, max_bytes=10)
    marks.note(1, 10)
    marks.note(2, 20)
    assert 2 == marks.first_kept()
    marks.clear()
    assert 0 == marks.first_kept()
