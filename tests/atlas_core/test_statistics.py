"""Shares, their intervals, and many tests at once: against the textbook's numbers and other implementations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, fisher_exact

from atlas_core.statistics import (
    Together,
    adjusted,
    fisher_greater,
    mcnemar_greater,
    paired_loss,
    probabilities,
    wilson,
)


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 10), (10, 10), (75, 300), (1, 1), (299, 300)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilson_intervals_are_scipys(hits: int, n: int, confidence: float) -> None:
    expected = binomtest(hits, n).proportion_ci(confidence, method="wilson")
    low, high = wilson(hits, n, confidence)
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_of_no_trials_nothing_is_known() -> None:
    low, high = wilson([0, 5], [0, 10])
    assert (low[0], high[0]) == (0, 1)
    assert 0.2 < low[1] < 0.5 < high[1] < 0.8


@pytest.mark.parametrize("counts", [(5, 10, 1, 10), (0, 10, 3, 10), (10, 10, 0, 10), (225, 300, 15, 300), (1, 2, 1, 2)])
def test_fishers_test_is_scipys(counts: tuple[int, int, int, int]) -> None:
    hits, n, control_hits, control_n = counts
    table = [[hits, n - hits], [control_hits, control_n - control_hits]]
    assert float(fisher_greater(*counts)) == pytest.approx(fisher_exact(table, alternative="greater").pvalue)


def test_fishers_test_takes_arrays_and_says_nothing_without_trials() -> None:
    p = fisher_greater(np.array([5, 0, 3]), np.array([10, 0, 3]), 1, np.array([10, 10, 0]))
    assert p[0] == pytest.approx(float(fisher_greater(5, 10, 1, 10)))
    assert p[1:].tolist() == [1, 1]


def test_adjusted_p_are_benjamini_and_hochbergs() -> None:
    assert adjusted(np.array([0.03, 0.01, 0.02, 0.9])).tolist() == pytest.approx([0.04, 0.04, 0.04, 0.9])
    assert adjusted(np.array([0.04, 0.01])).tolist() == pytest.approx([0.04, 0.02])
    assert adjusted(np.array([0.2])).tolist() == [0.2]


def test_a_p_is_adjusted_for_all_that_was_looked_at_with_it() -> None:
    together = Together(np.array([0.03, 0.01, 0.02, 0.9, 0.02]))
    assert [together.q(p) for p in (0.01, 0.02, 0.03, 0.9)] == pytest.approx([0.1 / 3, 0.1 / 3, 0.0375, 0.9])


def test_the_interval_of_a_paired_loss_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    lost, won, _ = random.multinomial(400, [0.03, 0.01, 0.96], 2000).T
    low, high = paired_loss(lost, won, 400)
    assert np.mean((low <= 0.02) & (high >= 0.02)) == pytest.approx(0.95, abs=0.02)


def test_a_paired_loss_by_hand() -> None:
    low, high = paired_loss(9, 3, 98, 0.95)
    # (9 - 3) / 100, and 1.96 √(13 - 36/100) / 100
    assert (low, high) == pytest.approx((0.06 - 0.0696836, 0.06 + 0.0696836), abs=1e-5)
    low, high = paired_loss(0, 0, 0)
    assert low < 0 < high


def test_mcnemars_test_is_a_binomial_one_of_what_changed() -> None:
    expected = [binomtest(*counts, alternative="greater").pvalue for counts in ((9, 12), (0, 4))]
    assert mcnemar_greater([9, 0, 0], [3, 4, 0]).tolist() == pytest.approx([*expected, 1])


def test_probabilities_add_up_and_do_not_overflow() -> None:
    found = probabilities(np.array([[1000.0, 1000.0, -np.inf]]))
    assert found.tolist() == [[0.5, 0.5, 0.0]]
