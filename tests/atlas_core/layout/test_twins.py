"""Twins are found by image and point; distances and alignments of hand-made layouts."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_core.errors import LayoutError
from atlas_core.layout.twins import procrustes, retrieval, twin_distance, twins


def test_twins_share_image_and_point() -> None:
    image, point = np.array([0, 0, 1, 2]), np.array([0, 3, 1, 0])
    other_image, other_point = np.array([2, 0, 1, 0]), np.array([0, 3, 2, 0])
    assert twins(image, point, other_image, other_point).tolist() == [3, 1, -1, 0]


def test_without_others_nobody_has_a_twin() -> None:
    none = np.zeros(0, np.int32)
    assert twins(np.array([0, 1]), np.array([0, 0]), none, none).tolist() == [-1, -1]


def test_the_distance_is_the_median_over_twins() -> None:
    layout = np.array([[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]])
    other = np.array([[0.3, 0.4], [0.5, 0.5], [1.0, 0.9]])
    assert twin_distance(layout, other) == pytest.approx(0.1)
    with pytest.raises(LayoutError, match="twins"):
        twin_distance(layout[:0], other[:0])


def test_procrustes_undoes_moving_turning_and_mirroring_and_does_not_scale() -> None:
    layout = np.random.default_rng(1).random((50, 2))
    angle = 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([1, -1])
    other = layout @ turn + [3, -2]
    assert np.allclose(procrustes(layout, other), other)
    smaller = procrustes(layout, 0.4 * other)
    assert np.allclose(smaller - smaller.mean(axis=0), other - other.mean(axis=0))


def test_procrustes_of_a_single_place_goes_to_the_middle() -> None:
    other = np.array([[0.0, 0.0], [1.0, 2.0]])
    assert np.allclose(procrustes(np.full((2, 2), 0.25), other), [[0.5, 1.0]] * 2)


def test_a_twin_is_retrieved_where_it_is_among_the_nearest() -> None:
    layout = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert retrieval(layout, layout, np.arange(4)) == 1
    assert retrieval(layout, layout[::-1], np.arange(4)) == 0
    swapped = np.array([1, 0, 2, 3])
    assert retrieval(layout, layout, swapped) == 0.5
    assert retrieval(layout, layout, swapped, share=0.75) == 1  # the second or third nearest of four
    assert retrieval(layout, layout, np.array([-1, 0, 2, -1])) == 0.5
    with pytest.raises(LayoutError, match="there are none"):
        retrieval(layout, layout, np.full(4, -1))


def test_unrelated_maps_retrieve_as_many_as_chance() -> None:
    random = np.random.default_rng(0)
    found = retrieval(random.random((3000, 2)), random.random((3000, 2)), np.arange(3000), share=0.05)
    assert 0.03 < found < 0.07
