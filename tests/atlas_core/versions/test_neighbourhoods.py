"""Which classes lie next to each other, on hand-made neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_core.versions.neighbourhoods import neighbourhoods

LABEL = np.repeat([0, 1, 2, 3], 30)


def near(classes: dict[int, tuple[int, int]], seed: int = 0) -> np.ndarray:
    """Two neighbours of each of 120 images: any images of these classes."""
    random = np.random.default_rng(seed)
    return np.array([[random.choice(np.flatnonzero(one == LABEL)) for one in classes[own]] for own in LABEL])


def test_shares_are_means_over_images_however_many_samples_each_has() -> None:
    images = np.array([0, 0, 0, 1])
    index = np.array([[3, 3], [3, 3], [3, 3], [0, 0]])
    label = np.array([0, 1, -1])
    found = neighbourhoods(index, images, index, images, label, 2)
    assert found.old == pytest.approx(np.array([[0, 1], [1, 0]]))
    assert found.images.tolist() == [1, 1]
    assert (found.p == 1).all()


def test_a_class_with_a_new_neighbour_is_found_and_the_others_are_not() -> None:
    images = np.arange(120)
    old = near({0: (0, 1), 1: (1, 0), 2: (2, 3), 3: (3, 2)})
    new = near({0: (0, 2), 1: (1, 0), 2: (2, 3), 3: (3, 2)}, seed=1)
    found = neighbourhoods(old, images, new, images, LABEL, 4)
    assert found.old[0].tolist() == pytest.approx([0.5, 0.5, 0, 0])
    assert found.new[0].tolist() == pytest.approx([0.5, 0, 0.5, 0])
    assert (found.p[0, 1:3] < 1e-6).all()
    changed = found.p < 0.05
    changed[0, 1:3] = False
    assert not changed.any()


def test_chance_alone_is_no_change() -> None:
    """Neighbours drawn anew of the same classes in the same shares: p is spread evenly."""
    random = np.random.default_rng(5)
    images, under = np.arange(120), 0
    for _ in range(50):
        old, new = (random.integers(0, 120, (120, 8)) for _ in range(2))
        under += int((neighbourhoods(old, images, new, images, LABEL, 4).p < 0.05).sum())
    assert 0.02 < under / (50 * 16) < 0.09


def test_images_without_a_class_are_nobodys_neighbours() -> None:
    label = np.array([0, -1, 1])
    index = np.array([[1, 2], [0, 2], [0, 1]])
    found = neighbourhoods(index, np.arange(3), index, np.arange(3), label, 2)
    assert found.old.tolist() == [[0, 0.5], [0.5, 0]]
