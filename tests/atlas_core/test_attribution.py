"""Attribution: hand-computed values on heads with hand-set weights, completeness, and the choice of method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from atlas_core import attribution
from atlas_core.activations import collect_shard
from atlas_core.attribution import attribute_shard
from atlas_core.errors import ModelError, SpecError
from tests.atlas_core.tiny import TinyModel, noise_pictures, picture_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from atlas_core.datasets.dataset import Dataset
    from atlas_core.tables import Table

SIDE = 8
WEIGHT = torch.tensor([[2.0, 0, 0], [0, -1, 3]])


class Linear(nn.Module):
    """Layer `layer` is the picture; the logits are WEIGHT · mean + 1."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Identity()
        self.classify = nn.Linear(3, 2)
        self.classify.weight.data = WEIGHT
        self.classify.bias.data = torch.ones(2)

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.classify(self.layer(pixels).mean((2, 3)))
        return logits


class Hinged(Linear):
    """The logits are sums of relu(WEIGHT · pixel - .5), so that zeroing and the gradient differ."""

    def forward(self, pixels: Tensor) -> Tensor:
        scores = torch.einsum("nchw,kc->nkhw", self.layer(pixels), self.classify.weight)
        return torch.relu(scores - 0.5).sum((2, 3))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return picture_dataset(tmp_path, noise_pictures(3, SIDE, SIDE))


def samples(model: TinyModel, dataset: Dataset, each: int = 9) -> Table:
    return collect_shard(model, dataset, range(3), [model.layer("layer")], [each] * 3, seed=1).layers["layer"]


def pixels_at(dataset: Dataset, table: Table) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    pictures = noise_pictures(3, SIDE, SIDE)
    found = [
        pictures[dataset.listing.images[image]][row, column]  # type: ignore[call-overload]  # all arrays
        for image, row, column in zip(table["image"], table["row"], table["column"], strict=True)
    ]
    return np.array(found) / 255


def test_a_linear_head_has_a_closed_form_and_it_is_the_ablation(dataset: Dataset) -> None:
    model = TinyModel(Linear(), (3, SIDE, SIDE))
    table = samples(model, dataset)
    closed = attribute_shard(model, dataset, table, model.layer("layer"))
    ablated = attribute_shard(model, dataset, table, model.layer("layer"), "ablation")

    assert closed.method == "closed form"
    assert ablated.method == "ablation"
    expected = pixels_at(dataset, table) @ WEIGHT.numpy().T / SIDE**2
    assert closed.attributions.dtype == np.float16
    assert closed.attributions == pytest.approx(expected, abs=1e-4)
    assert ablated.attributions == pytest.approx(expected, abs=1e-4)


def test_ablation_is_the_logits_less_those_without_the_position(dataset: Dataset) -> None:
    model = TinyModel(Hinged(), (3, SIDE, SIDE))
    table = samples(model, dataset)
    found = attribute_shard(model, dataset, table, model.layer("layer"))

    assert found.method == "ablation"
    expected = np.maximum(pixels_at(dataset, table) @ WEIGHT.numpy().T - 0.5, 0)
    assert found.attributions == pytest.approx(expected, abs=2e-3)


def test_jvp_is_activation_times_gradient(dataset: Dataset) -> None:
    model = TinyModel(Hinged(), (3, SIDE, SIDE))
    table = samples(model, dataset)
    found = attribute_shard(model, dataset, table, model.layer("layer"), "jvp")

    scores = pixels_at(dataset, table) @ WEIGHT.numpy().T
    assert found.method == "jvp"
    assert found.attributions == pytest.approx(np.where(scores > 0.5, scores, 0), abs=2e-3)


class Rectified(nn.Module):
    """Without biases the logits are the sum of activation · gradient over all positions."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3, padding=1)
        self.deep = nn.Conv2d(4, 6, 3, padding=1, bias=False)
        self.classify = nn.Linear(6, 2, bias=False)

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.classify(torch.relu(self.deep(torch.relu(self.layer(pixels)))).mean((2, 3)))
        return logits


def everywhere(model: TinyModel, dataset: Dataset) -> Table:
    row, column = (axis.ravel().astype(np.int16) for axis in np.indices((SIDE, SIDE)))
    return {"image": np.ones(SIDE**2, dtype=np.int32), "row": row, "column": column}


def test_jvp_is_complete_on_a_head_without_biases(dataset: Dataset) -> None:
    torch.manual_seed(0)
    model = TinyModel(Rectified(), (3, SIDE, SIDE))
    found = attribute_shard(model, dataset, everywhere(model, dataset), model.layer("layer"), "jvp").attributions

    logits = collect_shard(model, dataset, [1], [model.layer("layer")], [1], seed=0).images["logits"][0]
    assert found.astype(np.float64).sum(0) == pytest.approx(logits, abs=2e-4)


def test_samples_may_come_in_any_order_and_any_number_at_a_time(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    model = TinyModel(Rectified(), (3, SIDE, SIDE))
    table = samples(model, dataset)
    layer = model.layer("layer")
    told: list[tuple[int, int]] = []
    found = attribute_shard(model, dataset, table, layer, on_progress=lambda *done: told.append(done)).attributions
    order = np.random.default_rng(0).permutation(len(found))
    monkeypatch.setattr(attribution, "VARIANTS", 4)
    shuffled = attribute_shard(model, dataset, {name: column[order] for name, column in table.items()}, layer)

    assert told == [(len(found), len(found))]
    assert np.abs(found).max() > 0
    assert shuffled.attributions == pytest.approx(found[order], abs=1e-4)


def test_none_gives_no_class(dataset: Dataset) -> None:
    model = TinyModel(Linear(), (3, SIDE, SIDE))
    table = samples(model, dataset)
    found = attribute_shard(model, dataset, table, model.layer("layer"), "none")

    assert found.attributions.shape == (len(table["image"]), 0)
    assert found.method == "none"


def test_what_cannot_be_attributed_is_refused(dataset: Dataset) -> None:
    model = TinyModel(Linear(), (3, SIDE, SIDE))
    table = samples(model, dataset)

    with pytest.raises(SpecError, match="gradcam"):
        attribute_shard(model, dataset, table, model.layer("layer"), "gradcam")
    bare = TinyModel(Linear(), (3, SIDE, SIDE), logits=False)
    with pytest.raises(ModelError, match="no logits"):
        attribute_shard(bare, dataset, table, model.layer("layer"))
