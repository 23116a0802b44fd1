"""Counts drawn anew as another seed would count them, and how likely they give another verdict."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_core.audit.noise import anew, another_verdict


def test_counts_anew_vary_by_what_is_not_known_of_the_share_and_by_their_own_trials() -> None:
    found = anew(np.random.default_rng(0), 60, 200)
    assert found.shape == (4000,)
    assert found.mean() == pytest.approx(60, abs=0.5)
    assert found.var() == pytest.approx(2 * 200 * 0.3 * 0.7, rel=0.08)  # both alike: twice the binomial variance
    assert np.array_equal(anew(np.random.default_rng(1), np.zeros(4000), 0), np.zeros(4000))
    by_draw = anew(np.random.default_rng(0), np.repeat([0.0, 100.0], 2000), 100)
    assert by_draw[:2000].mean() < 2 < 98 < by_draw[2000:].mean()


def test_of_one_thing_measured_several_times_the_surest_counts() -> None:
    assert another_verdict("fail", [(2, 0.9), (2, 0.8), (1, 0.5)]) == pytest.approx(0.1 * 0.5)
    assert another_verdict("pass", [(2, 0.1), (2, 0.05), (1, 0.2)]) == pytest.approx(1 - 0.9 * 0.8)
    assert another_verdict("inconclusive", []) == 0
