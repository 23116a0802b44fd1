"""Collect: every sample is the activation of the place it says it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from atlas_core.activations import Collected, collect_shard, mean_unit
from atlas_core.errors import ModelError
from atlas_core.models.preprocessing import to_unit
from atlas_core.pooling import ITSELF, Watch, pooled
from atlas_core.sampling import allocation
from atlas_core.thumbnails import cut_thumbnails
from tests.atlas_core.tiny import TinyModel, noise_pictures, picture_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from atlas_core.datasets.dataset import Dataset

SIDE = 40


class EverySecondPixel(nn.Module):
    """Layer `pick` is red and twice blue of every second pixel; layer `coarse` the mean of 4 × 4 of those."""

    def __init__(self) -> None:
        super().__init__()
        self.pick = nn.Conv2d(3, 2, 1, stride=2, bias=False)
        self.coarse = nn.AvgPool2d(4)
        self.pick.weight.data = torch.tensor([[1.0, 0, 0], [0, 0, 2.0]])[:, :, None, None]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        means: torch.Tensor = self.coarse(self.pick(pixels)).mean((2, 3))
        return means


@pytest.fixture
def model() -> TinyModel:
    return TinyModel(EverySecondPixel(), (3, SIDE, SIDE))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return picture_dataset(tmp_path, noise_pictures(7, SIDE, SIDE))


def collected(
    model: TinyModel, dataset: Dataset, indices: list[int], *, samples: int = 30, batch: int = 4
) -> Collected:
    counts = allocation(dataset.listing.images, samples, seed=5)[indices]
    layers = [model.layer("pick"), model.layer("coarse")]
    return collect_shard(model, dataset, indices, layers, counts.tolist(), 5, batch=batch)


def pixels_of(dataset: Dataset, index: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return noise_pictures(7, SIDE, SIDE)[dataset.listing.images[index]]  # type: ignore[return-value]  # all arrays


def test_a_sample_is_the_activation_of_its_place(model: TinyModel, dataset: Dataset) -> None:
    table = collected(model, dataset, list(range(7))).layers["pick"]

    assert len(table["image"]) == 30
    assert table["activations"].dtype == np.float16
    for place in range(30):
        pixel = pixels_of(dataset, table["image"][place])[2 * table["row"][place], 2 * table["column"][place]] / 255
        assert table["activations"][place].tolist() == pytest.approx([pixel[0], 2 * pixel[2]], abs=1e-3)


def test_thumbnails_are_centred_on_the_receptive_field(model: TinyModel, dataset: Dataset) -> None:
    table = collected(model, dataset, list(range(7))).layers["pick"]

    assert table["thumbnails"].shape == (30, 20, 20, 3)
    for place in (0, 11, 29):
        centre = np.array([[2 * table["row"][place] + 0.5, 2 * table["column"][place] + 0.5]])
        # the receptive field is one pixel, so the window is the smallest, 32
        expected = cut_thumbnails(pixels_of(dataset, table["image"][place]), centre, 32, 20)[0]
        assert np.array_equal(table["thumbnails"][place], expected)


def test_images_keep_label_and_logits(model: TinyModel, dataset: Dataset) -> None:
    images = collected(model, dataset, [6, 2]).images

    assert images["image"].tolist() == [6, 2]
    assert images["label"].tolist() == [1, 0]  # the fourth of a/ comes before the three of b/
    means = pixels_of(dataset, 6)[::2, ::2].mean((0, 1)) / 255
    assert images["logits"][0].tolist() == pytest.approx([means[0], 2 * means[2]], abs=1e-5)


def test_images_keep_the_mean_unit_activation_of_their_whole_grid(model: TinyModel, dataset: Dataset) -> None:
    images = collected(model, dataset, [6, 2], samples=7).images

    for place, index in enumerate((6, 2)):
        pixels = pixels_of(dataset, index)[::2, ::2] / 255
        seen = np.stack([pixels[..., 0], 2 * pixels[..., 2]], axis=-1).reshape(-1, 2)
        expected = (seen / np.linalg.norm(seen, axis=1, keepdims=True)).mean(axis=0)
        assert images["unit pick"][place].tolist() == pytest.approx(expected.tolist(), abs=1e-3)


def test_a_mean_of_unit_activations_is_as_long_as_they_agree() -> None:
    grids = np.array([[[[3.0, 5.0]], [[4.0, 0.0]]], [[[0.0, 2.0]], [[0.0, 0.0]]], [[[1e30, 1.0]], [[1e30, 1.0]]]])

    found = mean_unit(grids.astype(np.float32))

    assert found.tolist() == pytest.approx(np.array([[0.8, 0.4], [0.5, 0], [0.7071, 0.7071]]), abs=1e-3)


def test_shards_and_batches_do_not_matter(model: TinyModel, dataset: Dataset) -> None:
    whole = collected(model, dataset, list(range(7)))
    parts = [collected(model, dataset, [0, 1, 2], batch=2), collected(model, dataset, [3, 4, 5, 6], batch=1)]

    for name, table in whole.layers.items():
        for column, values in table.items():
            together = np.concatenate([part.layers[name][column] for part in parts])
            assert np.array_equal(together, values), (name, column)


def test_the_kth_point_is_the_kth_sample_of_every_layer(model: TinyModel, dataset: Dataset) -> None:
    found = collected(model, dataset, [0], samples=7 * 2).layers

    # the coarse layer has 3 × 3 positions inside, so it takes a quarter of them: two
    assert found["pick"]["point"].tolist() == [0, 1]
    assert found["coarse"]["times"].sum() == 2
    fine = found["pick"]["row"][0] * 2 + 0.5, found["pick"]["column"][0] * 2 + 0.5
    coarse = found["coarse"]["row"][0] * 8 + 3.5, found["coarse"]["column"][0] * 8 + 3.5
    # half a coarse step, and one more where the border that is left out would have been nearer
    assert all(abs(one - other) <= 12 for one, other in zip(fine, coarse, strict=True))


def test_broken_images_are_skipped_and_listed(model: TinyModel, tmp_path: Path) -> None:
    pictures = noise_pictures(3, SIDE, SIDE) | {"a/broken.jpg": b"no picture", "a/cut.png": b"\x89PNG\r\n\x1a\n"}
    dataset = picture_dataset(tmp_path, pictures)
    made = collected(model, dataset, list(range(5)), samples=20, batch=2)

    assert [entry["image"] for entry in made.skipped] == ["a/broken.jpg", "a/cut.png"]
    assert made.skipped[0]["reason"] == "no JPEG, PNG or WebP picture, and no .npy array"
    assert len(made.images["image"]) == 3
    assert set(made.layers["pick"]["image"].tolist()) == set(made.images["image"].tolist())


def test_images_without_samples_are_left_out(model: TinyModel, dataset: Dataset) -> None:
    made = collect_shard(model, dataset, [0, 1, 2], [model.layer("pick")], [0, 3, 0], seed=0)

    assert made.images["image"].tolist() == [1]
    assert len(made.layers["pick"]["image"]) == 3
    assert collect_shard(model, dataset, [0], [model.layer("pick")], [0], seed=0) == Collected({}, {}, [])


def test_a_model_without_logits_stops_at_the_layer(dataset: Dataset) -> None:
    made = collected(TinyModel(EverySecondPixel(), (3, SIDE, SIDE), logits=False), dataset, [0])

    assert set(made.images) == {"image", "label", "unit pick", "unit coarse"}


def test_values_too_large_for_half_precision_are_clipped(model: TinyModel, dataset: Dataset) -> None:
    large = EverySecondPixel()
    large.pick.weight.data *= 1e7
    table = collected(TinyModel(large, (3, SIDE, SIDE)), dataset, [0]).layers["pick"]

    assert table["activations"].max() == 65504


def test_values_that_are_no_numbers_are_refused(dataset: Dataset) -> None:
    broken = EverySecondPixel()
    broken.pick.weight.data *= torch.nan

    with pytest.raises(ModelError, match="'pick' gives values"):
        collected(TinyModel(broken, (3, SIDE, SIDE)), dataset, [0])


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_logits_that_are_not_finite_are_refused(dataset: Dataset, value: float) -> None:
    class Broken(EverySecondPixel):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return super().forward(pixels) + torch.tensor([0, value])

    with pytest.raises(ModelError, match="logits of 'tiny' are no finite numbers for 2 of 2 images; check its weights"):
        collected(TinyModel(Broken(), (3, SIDE, SIDE)), dataset, [0, 1])


def test_progress_is_told_and_can_cancel(model: TinyModel, dataset: Dataset) -> None:
    told: list[tuple[int, int]] = []

    def cancel(done: int, total: int) -> None:
        told.append((done, total))
        if done >= 4:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        collect_shard(model, dataset, range(7), [model.layer("pick")], [2] * 7, seed=0, batch=2, on_progress=cancel)
    assert told == [(2, 7), (4, 7)]


def test_what_is_watched_is_kept_of_each_image(model: TinyModel, dataset: Dataset) -> None:
    watch = Watch(("pick", "coarse"), 300)
    found = collect_shard(model, dataset, [0, 1, 2], [], [1] * 3, 0, batch=2, watch=watch).novelty
    assert sorted(found) == ["deep", "energy", "image", "kind", "middle", "spread"]
    assert found["image"].tolist() == [0, 1, 2]
    assert found["kind"].tolist() == [ITSELF] * 3
    for place in range(3):
        read, logits = model.activations(to_unit(pixels_of(dataset, place)[None]), watch.at, logits=True)
        wanted = pooled(watch.at, read, logits, 0)
        assert np.allclose(found["spread"][place], wanted.spread, atol=2e-3)
        assert found["energy"][place] == pytest.approx(float(wanted.energy), abs=1e-5)


def test_nothing_is_kept_unwatched(model: TinyModel, dataset: Dataset) -> None:
    assert collected(model, dataset, [0]).novelty == {}


def test_before_a_gpu_the_same_samples_are_taken_beside_the_passes(model: TinyModel, dataset: Dataset) -> None:
    plain = collected(model, dataset, list(range(7)), batch=2)
    model.device = torch.device("cuda")  # the tiny model computes on the CPU all the same
    beside = collected(model, dataset, list(range(7)), batch=2)
    assert beside.images.keys() == plain.images.keys()
    for name, table in {**plain.layers, "images": plain.images}.items():
        other = beside.images if name == "images" else beside.layers[name]
        for column, values in table.items():
            np.testing.assert_array_equal(other[column], values)


def test_what_goes_wrong_beside_the_passes_is_told(model: TinyModel, dataset: Dataset) -> None:
    model.device = torch.device("cuda")
    for weight in model.network().module.parameters():
        weight.data.fill_(float("nan"))
    with pytest.raises(ModelError, match="no numbers"):
        collected(model, dataset, list(range(7)), batch=2)
