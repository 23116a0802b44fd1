import numpy as np
import pytest

from atlas_core.comparing_classes import across, along_line
from atlas_core.layout.neighbours import neighbours


def test_differences_are_over_their_99th_percentile_and_zero_stays_zero() -> None:
    difference = np.array(
        [-4.0, 0.0, 1.0, *np.full(97, 2.0)]
    )  # of 100, the 99th percentile of |d| is 2 + .01 * (4 - 2)
    found, scale = across(difference)
    assert scale == pytest.approx(np.percentile(np.abs(difference), 99)) == pytest.approx(2.02)
    np.testing.assert_allclose(found[:4], [-1, 0, 1 / 2.02, 2 / 2.02], rtol=1e-6)


def test_without_differences_all_lie_in_the_middle() -> None:
    found, scale = across(np.zeros(5))
    assert (found.tolist(), scale) == ([0] * 5, 0)


def test_what_is_alike_lies_together_along_the_line_and_no_seed_leads_off_it() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(3), 40)
    activations = np.eye(8)[groups * 2] + rng.normal(0, 0.1, (120, 8))
    found = neighbours(activations, np.arange(120), 10)
    y = along_line(activations, found, epochs=60, min_dist=0.05, seed=4)
    assert y.shape == (120,)
    assert y.min() >= 0
    assert y.max() <= 1
    spread = max(np.ptp(np.sort(y[groups == group])[2:-2]) for group in range(3))
    middles = np.sort([np.median(y[groups == group]) for group in range(3)])
    assert np.diff(middles).min() > spread
    np.testing.assert_array_equal(y, along_line(activations, found, epochs=60, min_dist=0.05, seed=4))
