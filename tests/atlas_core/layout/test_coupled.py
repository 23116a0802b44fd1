"""Samples laid out against others that stay where they are."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_core.errors import LayoutError
from atlas_core.layout.coupled import coupled, cross_neighbours, joined
from atlas_core.layout.graph import Graph, graph
from atlas_core.layout.neighbours import Neighbours, neighbours
from atlas_core.layout.optimise import optimise


def pair() -> Graph:
    """Two samples held together by an edge of .5."""
    return Graph(np.array([0, 1, 2]), np.array([1, 0], np.int32), np.array([0.5, 0.5], np.float32))


def test_ties_come_first_and_fixed_rows_are_empty() -> None:
    cross = Neighbours(np.array([[2, 1], [0, 2]], np.int32), np.array([[0.1, 0.3], [0.2, 0.2]], np.float32))
    found = coupled(pair(), 3, twin=np.array([2, -1]), cross=cross)
    assert found.start.tolist() == [0, 0, 0, 0, 3, 6]
    assert found.target.tolist() == [1, 2, 4, 0, 2, 3]
    assert found.weight[1] == 1  # the twin, whatever its distance
    assert 0 < found.weight[0] < 1  # the farther of two neighbours
    assert found.weight[[3, 4]].tolist() == [1, 1]  # equally near
    assert found.weight[[2, 5]].tolist() == [0.5, 0.5]


def test_nothing_that_ties_is_refused() -> None:
    with pytest.raises(LayoutError, match="anchor"):
        coupled(pair(), 3, twin=np.array([-1, -1]))


def test_cross_neighbours_are_the_nearest_by_cosine_and_never_of_the_own_image() -> None:
    fixed = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.2], [-1.0, 0.0]])
    sample = np.array([[2.0, 0.1]])
    assert sorted(cross_neighbours(sample, fixed, 2).index[0].tolist()) == [0, 2]
    images = np.array([5, 6, 7, 8])
    found = cross_neighbours(sample, fixed, 2, images=np.array([5]), fixed_images=images)
    assert found.index.tolist() == [[2, 1]]
    cosine = fixed[[2, 1]] @ sample[0] / (np.linalg.norm(fixed[[2, 1]], axis=1) * np.linalg.norm(sample))
    assert np.allclose(found.distance, 1 - cosine, atol=1e-6)
    with pytest.raises(LayoutError, match="4 samples of other images"):
        cross_neighbours(sample, fixed, 4, images=np.array([5]), fixed_images=images)


def test_the_fixed_do_not_move_and_twins_end_near_them() -> None:
    random = np.random.default_rng(3)
    middles = random.normal(size=(6, 12))
    group = np.arange(300) % 6
    activations = middles[group] + 0.3 * random.normal(size=(300, 12))
    images = np.arange(300)
    own = graph(neighbours(activations, images, 10))
    first = optimise(own, random.normal(size=(300, 2)).astype(np.float32) * 5, epochs=60)

    changed = activations + 0.05 * random.normal(size=activations.shape)
    moving = graph(neighbours(changed, images, 10))
    start = np.concatenate([first, first[random.permutation(300)]])
    points = optimise(coupled(moving, 300, twin=np.arange(300)), start, epochs=60)

    assert points[:300].tobytes() == first.tobytes()
    apart = np.median(np.hypot(*(points[300:] - first).T))
    chance = np.median(np.hypot(*(first[random.permutation(300)] - first).T))
    assert apart < 0.15 * chance


def test_two_graphs_are_blocks_of_one_and_twins_are_tied_both_ways() -> None:
    found = joined(pair(), pair(), np.array([1, -1]), 0.25)
    assert found.start.tolist() == [0, 2, 3, 4, 6]
    assert found.target.tolist() == [1, 3, 0, 3, 0, 2]
    assert found.weight.tolist() == [0.5, 0.25, 0.5, 0.5, 0.25, 0.5]
    with pytest.raises(LayoutError, match="by their twins: there are 0"):
        joined(pair(), pair(), np.array([-1, -1]))
    with pytest.raises(LayoutError, match="of weight 0"):
        joined(pair(), pair(), np.array([0, 1]), 0)


def test_both_halves_move_and_twins_stay_together() -> None:
    random = np.random.default_rng(4)
    group = np.arange(200) % 5
    activations = random.normal(size=(5, 12))[group] + 0.3 * random.normal(size=(200, 12))
    images = np.arange(200)
    first, second = (graph(neighbours(activations + 0.05 * random.normal(size=activations.shape), images, 10))
                     for _ in range(2))  # fmt: skip
    start = np.tile(random.normal(size=(200, 2)).astype(np.float32) * 5, (2, 1))
    start[200:] += random.normal(0, 0.01, (200, 2)).astype(np.float32)
    points = optimise(joined(first, second, np.arange(200)), start, epochs=60)
    apart = np.median(np.hypot(*(points[:200] - points[200:]).T))
    chance = np.median(np.hypot(*(points[:200] - points[200 + random.permutation(200)]).T))
    assert apart < 0.3 * chance
    assert not np.allclose(points[:200], start[:200], atol=0.1)
    assert not np.allclose(points[200:], start[200:], atol=0.1)
