"""Which cells are tested, in which order, and on which images."""

from __future__ import annotations

import numpy as np

from atlas_core.audit.suspects import balanced, interleaved, suspects


def test_a_cell_speaks_for_what_it_adds_beyond_the_others() -> None:
    # Class 1 gains everywhere: only the third cell adds more to it than cells on average do.
    attribution = np.array([[1.0, 0.0, 0.0, 0.0], [5.0, 5.0, 9.0, 5.0], [0.0, 0.5, 0.0, 0.0]])
    found = suspects(attribution, np.array([10, 10, 40, 9]))
    assert found.cell.tolist() == [2, 0, 1]  # the last has too few samples
    assert found.target.tolist() == [1, 0, 2]
    assert found.strongest.tolist() == [1, 1, 1]
    assert found.strength.tolist() == [3.0, 0.75, 0.375]


def test_without_attributions_the_largest_cells_come_first() -> None:
    found = suspects(np.zeros((0, 3)), np.array([12, 3, 40]))
    assert found.cell.tolist() == [2, 0]
    assert found.target.tolist() == found.strongest.tolist() == [-1, -1]


def test_layers_take_turns() -> None:
    assert interleaved([2, 1]) == [(0, 0), (1, 0), (0, 1)]
    assert interleaved([]) == []


def test_images_are_taken_evenly_over_classes() -> None:
    labels = np.array([0, 0, 0, 1, 2, 0, 2])
    assert balanced(labels, 100).tolist() == [0, 3, 4, 1, 6, 2, 5]
    assert sorted(labels[balanced(labels, 5)].tolist()) == [0, 0, 1, 2, 2]
