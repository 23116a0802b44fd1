"""Copies: what each leaves is what the network makes of the spoiled image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from torch import nn

from atlas_core.copies import pool_copies
from atlas_core.models.preprocessing import to_unit
from atlas_core.pooling import LEAST_IMAGES, Watch, pooled
from atlas_core.spoiled import spoil
from tests.atlas_core.tiny import TinyModel, noise_pictures, picture_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from atlas_core.datasets.dataset import Dataset

SIDE, COUNT = 24, 5
WATCH = Watch(("0", "1"), 300)  # three copies each


@pytest.fixture
def model() -> TinyModel:
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return TinyModel(layers, (3, SIDE, SIDE))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return picture_dataset(tmp_path, noise_pictures(COUNT, SIDE, SIDE))


def test_a_copy_leaves_what_the_network_makes_of_the_spoiled_image(model: TinyModel, dataset: Dataset) -> None:
    told: list[tuple[int, int]] = []
    found, halved = pool_copies(model, dataset, [1, 3, 4], WATCH, lambda done, total: told.append((done, total)))
    images, pictures = dataset.listing.images, noise_pictures(COUNT, SIDE, SIDE)
    assert found["image"].tolist() == np.repeat([1, 3, 4], WATCH.copies).tolist()
    assert found["kind"].tolist() == [kind for place in (1, 3, 4) for kind in WATCH.kinds(images[place])]
    for row, (place, kind) in enumerate(zip(found["image"].tolist(), found["kind"].tolist(), strict=True)):
        pixels = spoil(np.asarray(pictures[images[place]]), kind, images[place])
        read, logits = model.activations(to_unit(pixels[None]), WATCH.at, logits=True)
        wanted = pooled(WATCH.at, read, logits, 0)
        assert np.allclose(found["spread"][row], wanted.spread, atol=2e-3)
        assert found["energy"][row] == pytest.approx(float(wanted.energy), abs=1e-4)
    assert told == [(3, 3)]
    assert halved is None


def test_only_some_of_many_images_are_read_again_and_none_of_few(model: TinyModel, dataset: Dataset) -> None:
    many = Watch(WATCH.at, 10**6)
    assert not any(many.kinds(image) for image in dataset.listing.images)
    assert pool_copies(model, dataset, range(COUNT), many) == ({}, None)
    assert pool_copies(model, dataset, range(COUNT), Watch(WATCH.at, LEAST_IMAGES - 1)) == ({}, None)


def test_an_image_that_can_no_longer_be_read_has_no_copies(model: TinyModel, tmp_path: Path) -> None:
    pictures = noise_pictures(COUNT, SIDE, SIDE) | {"a/broken.jpg": b"no picture"}
    dataset = picture_dataset(tmp_path, pictures)
    found, _ = pool_copies(model, dataset, range(COUNT + 1), WATCH)
    broken = dataset.listing.images.index("a/broken.jpg")
    assert set(found["image"].tolist()) == set(range(COUNT + 1)) - {broken}
