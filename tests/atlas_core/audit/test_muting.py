"""What is muted stops at what is ordinary; all else stays as it is."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_core.audit.muting import Mute, groups, muting, under
from atlas_core.whitening import Whitening

STRETCHED = Whitening(np.array([1, 1], np.float32), np.diag([2, 0.5]).astype(np.float32), 16.0)
"""Of activations that vary four times as much in their second channel."""


def test_by_hand() -> None:
    mute = Mute(np.array([[1, 0]], np.float32), np.array([[1, 2]], np.float32), np.array([3], np.float32))
    given = np.array([[2, 9], [3, 9], [5, 9]], np.float32)
    assert mute.apply(given).tolist() == [[2, 9], [3, 9], [3, 5]]


def test_directions_are_muted_one_after_the_other() -> None:
    both = Mute(np.array([[1, 0], [0, 1]], np.float32), np.array([[1, 1], [0, 1]], np.float32), np.zeros(2, np.float32))
    assert both.apply(np.array([[1, 3]], np.float32)).tolist() == [[0, 0]]
    assert both.apply(np.array([[1, 0]], np.float32)).tolist() == [[0, -1]]


def test_the_way_from_the_layers_mean_is_measured_where_ordinary_variation_counts_for_nothing() -> None:
    ordinary = np.array([[1, 1]], np.float32)  # the mean: muted down to it
    mute = muting(STRETCHED, [np.array([2, 2], np.float32)], ordinary, 0.5)
    # the way (1, 1) is (2, .5) in whitened space; its normal there, brought back, weighs channel 0 sixteen times
    np.testing.assert_allclose(mute.normal[0] / mute.normal[0, 1], [16, 1], rtol=1e-6)
    np.testing.assert_allclose(mute.apply(np.array([[2, 2]], np.float32)), [[1, 1]], atol=1e-6)
    assert float(mute.normal[0] @ mute.along[0]) == pytest.approx(1)


def test_what_was_above_the_level_is_at_it_and_the_rest_is_untouched() -> None:
    random = np.random.default_rng(0)
    given = random.normal(1, 1, (500, 2)).astype(np.float32)
    mute = muting(STRETCHED, [np.array([3, 0], np.float32)], given, 0.8)
    left = mute.apply(given)
    above = given @ mute.normal[0] > mute.level[0]
    assert above.mean() == pytest.approx(0.2, abs=0.01)
    np.testing.assert_allclose(left[above] @ mute.normal[0], mute.level[0], atol=1e-5)
    assert (left[~above] == given[~above]).all()


def test_taken_off_twice_it_goes_as_far_to_the_other_side() -> None:
    ordinary = np.array([[1, 1]], np.float32)
    mute = muting(STRETCHED, [np.array([2, 2], np.float32)], ordinary, 0.5, times=2)
    np.testing.assert_allclose(mute.apply(np.array([[2, 2]], np.float32)), [[0, 0]], atol=1e-6)


def test_like_directions_form_groups() -> None:
    random = np.random.default_rng(1)
    middles = np.eye(3, 6, dtype=np.float32)
    of = np.arange(60) % 3
    unit = middles[of] + random.normal(0, 0.05, (60, 6)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    found = groups(unit, 3)
    assert all(len(set(found[of == one].tolist())) == 1 for one in range(3))
    assert sorted(set(found.tolist())) == [0, 1, 2]
    assert groups(unit[:1], 4).tolist() == [0]
    assert groups(np.repeat(unit[:1], 5, axis=0), 4).tolist() == [0] * 5


def test_positions_well_inside_of_a_patch_look_at_it_and_at_least_the_nearest() -> None:
    where = np.array([[4, 4], [4, 12], [12, 4], [12, 12]], np.float64)
    middles = np.array([[8, 8], [10, 10], [4, 11]], np.float64)
    sides = np.array([12, 4, 12])
    assert under(middles, sides, where).tolist() == [
        [True] * 4,
        [False, False, False, True],
        [False, True, False, False],
    ]
