"""Counts by size."""

from app.kernel.histogram import Histogram


def test_a_value_counts_in_the_first_bucket_that_holds_it():
    seen = Histogram((1, 2.5, 10))
    for value in (0, 1, 1.1, 2.5, 10, 11, 1_000):
        seen.observe(value)
    assert [2, 2, 1, 2] == seen.counts
    assert 0 + 1 + 1.1 + 2.5 + 10 + 11 + 1_000 == seen.sum
