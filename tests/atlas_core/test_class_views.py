"""Class views of a network known by hand: its logits are 2 · red and 3 · blue - green, means over 8 x 8 pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from atlas_core.attribution import attribute_shard
from atlas_core.binning import assign_cells
from atlas_core.class_index import IndexBuilder
from atlas_core.classes import classes_of_cells
from atlas_core.comparing_classes import across
from tests.atlas_core.test_attribution import Linear, pixels_at, samples
from tests.atlas_core.tiny import TinyModel, noise_pictures, picture_dataset

if TYPE_CHECKING:
    from pathlib import Path


def test_attributions_of_a_network_by_hand_are_those_of_its_views(tmp_path: Path) -> None:
    dataset = picture_dataset(tmp_path, noise_pictures(3, 8, 8))
    model = TinyModel(Linear(), (3, 8, 8))
    table = samples(model, dataset)
    red, green, blue = pixels_at(dataset, table).T
    by_hand = np.stack([2 * red / 64, (3 * blue - green) / 64], axis=1)

    index = IndexBuilder(most=5)
    found = attribute_shard(model, dataset, table, model.layer("layer")).attributions
    layout = np.random.default_rng(5).random((len(red), 2), np.float32)
    (cells,) = classes_of_cells(index.passing([found]), layout, table["image"], [2])

    # The heat map of either class: the mean over the samples of each cell.
    place = assign_cells(layout, 2)
    kept = [(column, row) for row in range(2) for column in range(2) if (place == [column, row]).all(axis=1).sum() >= 3]
    means = [by_hand[(place == cell).all(axis=1)].mean(axis=0) for cell in kept]
    np.testing.assert_allclose(cells.attribution.T, means, atol=1e-4)

    # Rank: red enough. Magnitude: the five that are strongest, if they add to it at all.
    built = index.index()
    close = np.abs(by_hand[:, 0] - by_hand[:, 1]) < 1e-4
    assert not close.any()
    np.testing.assert_array_equal(built.by_rank(0), np.flatnonzero(2 * red > 3 * blue - green))
    np.testing.assert_array_equal(built.by_magnitude(1), np.sort(np.argsort(-(3 * blue - green))[:5]))

    # Across a comparison: what is bluer than red lies on the right.
    difference = (3 * blue - green - 2 * red) / 64
    x, scale = across(found[:, 1].astype(float) - found[:, 0])
    assert scale == pytest.approx(np.percentile(np.abs(difference), 99), rel=1e-3)
    np.testing.assert_allclose(x, np.clip(difference / np.percentile(np.abs(difference), 99), -1, 1), atol=5e-3)
