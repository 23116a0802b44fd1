"""A repaired model is the model with the layer's activations muted, in torch and as ONNX, whatever holds the layer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from atlas_core.audit.muting import Mute
from atlas_core.errors import ModelError
from atlas_core.models.muted import Muting
from atlas_core.models.muted_onnx import muted_graph
from atlas_core.models.onnx import load_onnx
from atlas_core.models.tokens import LAST, MAPS, TOKENS, Form
from atlas_core.models.traced import trace_model
from tests.atlas_core.models.exports import exported
from tests.atlas_core.models.families import TINY, Family, seeded
from tests.atlas_core.models.handwritten import Transformer
from tests.atlas_core.models.nets import onnx_card, pixels, reads, residual

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.models.base import LoadedModel

TOKENED = Family(partial(seeded, partial(Transformer, registers=3, mean=False)), (3, 32, 32), ("blocks.0",), "tokens",
                 fixed=True)  # fmt: skip


def mute_of(activations: NDArray[np.float32], seed: int = 0) -> Mute:
    """Two directions that half of these activations exceed, of maps (n, C, H, W)."""
    random = np.random.default_rng(seed)
    flat = activations.transpose(0, 2, 3, 1).reshape(-1, activations.shape[1])
    normal, along = random.normal(size=(2, 2, flat.shape[1])).astype(np.float32)
    return Mute(normal, 0.3 * along, np.median(flat @ normal.T, axis=0).astype(np.float32))


def muted_maps(activations: NDArray[np.float32], mute: Mute) -> NDArray[np.float32]:
    n, channels, height, width = activations.shape
    left = mute.apply(activations.transpose(0, 2, 3, 1).reshape(-1, channels))
    return left.reshape(n, height, width, channels).transpose(0, 3, 1, 2)


def repaired(model: LoadedModel, layer: str, images: NDArray[np.float32]) -> tuple[NDArray[np.float32], bytes]:
    """The logits that a repaired model should give, and the model."""
    activations = model.activations(images, [layer], logits=False)[0][layer]
    mute = mute_of(activations)
    head = model.head(layer)
    with torch.no_grad():
        state = head.prepare(torch.from_numpy(images))
        before = head(state, state.activations).numpy()
        expected = head(state, torch.from_numpy(muted_maps(activations, mute))).numpy()
    assert np.abs(expected - before).max() > 0.01 * np.abs(before).max()
    return expected, model.muted(layer, mute)


def agrees(data: bytes, model: LoadedModel, images: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    as_onnx: dict[str, Any] = {
        "format": "onnx",
        "source": "sha256:00",
        "architecture": None,
        "weights": None,
        "arguments": {},
    }
    found = load_onnx(model.card.model_copy(update=as_onnx), lambda _: data).activations(images, [], logits=True)[1]
    assert found is not None
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1, float(np.abs(expected).max())))


@pytest.mark.parametrize("axes", [MAPS, LAST, TOKENS])
def test_torch_mutes_as_numpy_does(axes: tuple[str, ...]) -> None:
    maps = np.random.default_rng(2).normal(size=(2, 5, 3, 4)).astype(np.float32)
    mute = mute_of(maps)
    expected = muted_maps(maps, mute)
    leading = torch.ones(2, 1, 5)
    given = {MAPS: torch.from_numpy(maps), LAST: torch.from_numpy(maps).permute(0, 2, 3, 1),
             TOKENS: torch.cat([leading, torch.from_numpy(maps).flatten(2).transpose(1, 2)], 1)}[axes]  # fmt: skip
    found = Muting(mute, axes, leading=1 if axes == TOKENS else 0)(given)
    if axes == TOKENS:
        assert torch.equal(found[:, :1], leading)
        found = found[:, 1:].transpose(1, 2).reshape(2, 5, 3, 4)
    np.testing.assert_allclose(found.permute(0, 3, 1, 2) if axes == LAST else found, expected, atol=1e-5)


@pytest.mark.parametrize("layer", ["stem", "half", "block", "conv2"])
def test_an_onnx_graph_is_muted_at_the_tensor(layer: str) -> None:
    data = residual().SerializeToString()
    model = load_onnx(onnx_card(), reads(data))
    images = pixels(3)
    expected, changed = repaired(model, layer, images)
    agrees(changed, model, images, expected)


def test_what_was_muted_can_be_muted_again() -> None:
    model = load_onnx(onnx_card(), reads(residual().SerializeToString()))
    images = pixels(2)
    _, once = repaired(model, "half", images)
    again = load_onnx(onnx_card(), reads(once))
    expected, twice = repaired(again, "half", images)
    agrees(twice, again, images, expected)


@pytest.mark.parametrize(("family", "layer"), [(TINY["squeezenet"], 0), (TINY["swin"], 0), (TOKENED, 0)])
@pytest.mark.parametrize("form", ["torch", "onnx"])
def test_of_any_architecture(family: Family, layer: int, form: str) -> None:
    if form == "torch":
        model: LoadedModel = trace_model(family.make(), family.card())
    else:
        data = exported(family.make(), family.shape, "legacy")
        card = family.card(format="onnx", source="sha256:00", architecture=None, weights=None)
        model = load_onnx(card, reads(data))
    images = family.pixels(2)
    name = [one.name for one in model.layers if one.name not in model.silent][layer]
    expected, changed = repaired(model, name, images)
    agrees(changed, model, images, expected)


def test_a_tensor_that_no_node_makes_cannot_be_muted() -> None:
    graph = residual()
    mute = mute_of(np.ones((1, 3, 32, 32), np.float32))
    with pytest.raises(ModelError, match="no node of the graph itself makes it"):
        muted_graph(graph, "image", Form(MAPS, 32, 32), mute)
