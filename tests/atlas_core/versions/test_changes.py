"""Cells born, lost and moved on hand-made maps, and none where twins lie together."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_core.statistics import Together
from atlas_core.versions.changes import Changes, Kinds, changes, halves, kinds

SIDE = 10
NOISE = np.random.default_rng(9)


def middle(cell: int) -> np.ndarray:
    """The middle of a cell by row times side plus column; rows count from the top."""
    row, column = divmod(cell, SIDE)
    return np.array([(column + 0.5) / SIDE, 1 - (row + 0.5) / SIDE])


def at(cells: list[int], seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.01, (len(cells), 2))
    return (np.stack([middle(cell) for cell in cells]) + noise).astype(np.float32)


def still(n: int) -> np.ndarray:
    """Distances on a floor of so many samples."""
    return np.abs(NOISE.normal(0, 0.01, n))


def told(result: Changes) -> Kinds:
    """What is sure of what was found, where nothing else was looked at."""
    return kinds(result.arrived, result.left, Together(result.p).q, 0.05)


def found(old: list[int], new: list[int]) -> tuple[Changes, Kinds]:
    both = halves(at(old, 1), np.arange(len(old)), at(new, 2), np.arange(len(new)), np.arange(len(old)))
    result = changes(*both, still(len(old)), SIDE)
    return result, told(result)


def test_nothing_changed_where_twins_lie_together() -> None:
    cells = [place for place in (11, 14, 17, 44, 47, 74, 77) for _ in range(40)]
    result, sure = found(cells, cells)
    assert sure == Kinds([], [], [])
    assert result.astray == 0
    assert result.reach == pytest.approx(0.15)
    assert result.filled == (7, 7)


def test_a_step_next_door_is_no_move() -> None:
    """A group of which noise alone put the two halves into neighbouring cells."""
    old = [14] * 40 + [44] * 200
    _, sure = found(old, [15] * 40 + [44] * 200)
    assert (sure.born, sure.lost, sure.moved) == ([], [], [])


def test_a_group_that_stands_together_elsewhere_has_moved() -> None:
    old = [11] * 40 + [44] * 200
    _, sure = found(old, [88] * 40 + [44] * 200)
    (one,) = sure.moved
    assert (one.cell, one.origin, one.images, one.others, one.astray) == (88, 11, 40, 0, 40)
    assert one.p < 0.001
    assert one.samples.tolist() == list(range(40))
    assert (sure.born, sure.lost) == ([], [])


def test_a_cell_of_samples_that_stood_apart_is_born() -> None:
    apart = [place for place in range(0, 40, 2) for _ in range(12)]
    new = list(apart)
    new[::6] = [88] * len(new[::6])  # two of each of twenty cells
    _, sure = found(apart, new)
    (one,) = sure.born
    assert (one.cell, one.images, one.others, one.origin) == (88, 40, 0, None)
    assert (sure.lost, sure.moved) == ([], [])


def test_a_cell_whose_samples_scatter_is_lost() -> None:
    apart = [place for place in range(0, 40, 2) for _ in range(12)]
    old = list(apart)
    old[::6] = [88] * len(old[::6])
    _, sure = found(old, apart)
    (one,) = sure.lost
    assert (one.cell, one.images, one.others) == (88, 40, 0)
    assert (sure.born, sure.moved) == ([], [])


def test_a_cell_that_both_halves_fill_is_not_born() -> None:
    """Samples from all over come to a cell that is as full on the old half."""
    apart = [place for place in range(0, 40, 2) for _ in range(12)]
    new = list(apart)
    new[::6] = [88] * len(new[::6])
    _, sure = found([*apart, *[88] * 30], [*new, *[88] * 30])
    assert sure.born == []


def test_few_images_and_many_samples_of_one_are_not_told() -> None:
    old, new = at([11] * 40 + [44] * 200, 1), at([88] * 40 + [44] * 200, 2)
    image = np.concatenate([np.arange(40) % 9, 100 + np.arange(200)])
    both = halves(old, image, new, image, np.arange(240))
    assert told(changes(*both, still(240), SIDE)) == Kinds([], [], [])


def test_a_floor_that_wanders_as_far_leaves_nothing_to_tell() -> None:
    both = halves(at([11] * 40 + [44] * 200, 1), np.arange(240), at([88] * 40 + [44] * 200, 2), np.arange(240),
                  np.arange(240))  # fmt: skip
    assert told(changes(*both, np.full(240, 1.2), SIDE)).moved == []


def test_the_floor_counts_images_and_not_their_samples() -> None:
    """Of 40 images with 10 samples each, 20 have one astray: half of the images, a twentieth of the samples."""
    image = np.repeat(np.arange(40), 10)
    floor = np.zeros(400)
    floor[:200:10] = 0.5
    layout = at([44] * 400, 1)
    result = changes(*halves(layout, image, layout, image, np.arange(400)), floor, 2)
    assert (result.reach, result.floor, result.astray) == (0.75, 0, 0)  # a step and a half of so few cells
    result = changes(*halves(layout, image, layout, image, np.arange(400)), np.minimum(floor, 0.4), SIDE)
    assert result.reach == pytest.approx(0.4)  # the 99.9th percentile of the images' farthest
    layout_new = layout.copy()
    layout_new[::20] += 0.3
    result = changes(*halves(layout, image, layout_new, image, np.arange(400)), np.zeros(400), SIDE)
    assert result.astray == 0.5


def test_what_is_looked_at_besides_makes_a_change_less_sure() -> None:
    result, _ = found([11] * 40 + [44] * 200, [88] * 40 + [44] * 200)
    (one,) = result.arrived
    alone, among = (Together(np.concatenate([result.p, np.ones(more)])).q for more in (0, 1000))
    assert len(kinds([one], [], alone, 10 * one.p).moved) == 1
    assert kinds([one], [], among, 10 * one.p).moved == []


def test_twins_see_each_other_from_both_sides() -> None:
    old, new = halves(at([11, 12], 1), np.array([0, 1]), at([11, 12, 13], 2), np.array([1, 2, 0]), np.array([2, -1]))
    assert old.twin.tolist() == [2, -1]
    assert new.twin.tolist() == [-1, -1, 0]
    assert old.distance[0] == pytest.approx(new.distance[2])
    assert np.isnan(old.distance[1])
    assert np.isnan(new.distance[:2]).all()
