"""What every format of model must do, said once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from atlas_core.cards import ModelCard
from atlas_core.errors import ModelError, UnknownLayerError
from atlas_core.models.base import LoadedModel, load_model
from tests.atlas_core.models.nets import CLASSES, onnx_card, pixels, reads, residual, torchvision_card, weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

# layers with a skip around them, without one, and behind a linear head
LAYERS = {"torchvision": ("layer1.0.conv1", "layer3", "layer4"), "onnx": ("half", "stem", "block")}


@pytest.fixture(scope="module", params=["torchvision", "onnx"])
def model(request: pytest.FixtureRequest) -> LoadedModel:
    if request.param == "onnx":
        return load_model(onnx_card(), reads(residual().SerializeToString()))
    return load_model(torchvision_card("resnet18", 96), reads(weights("resnet18")))


def inputs(model: LoadedModel, count: int) -> NDArray[np.float32]:
    return pixels(count, model.card.input.height)


def names(model: LoadedModel) -> tuple[str, ...]:
    return LAYERS[model.card.format]


def test_activations_have_the_listed_shapes(model: LoadedModel) -> None:
    read, logits = model.activations(inputs(model, 2), names(model), logits=True)
    assert list(read) == list(names(model))
    for name, values in read.items():
        assert values.dtype == np.float32
        assert values.shape == (2, *model.layer(name).shape)
    assert logits is not None
    assert logits.shape == (2, CLASSES)
    assert model.classes == CLASSES


def test_logits_come_only_when_asked_for(model: LoadedModel) -> None:
    read, logits = model.activations(inputs(model, 1), [names(model)[0]], logits=False)
    assert logits is None
    assert len(read) == 1
    read, logits = model.activations(inputs(model, 1), [], logits=True)
    assert read == {}
    assert logits is not None
    assert model.activations(inputs(model, 1), [], logits=False) == ({}, None)


def test_the_same_layer_may_be_asked_for_twice(model: LoadedModel) -> None:
    name = names(model)[0]
    read, logits = model.activations(inputs(model, 1), [name, name], logits=True)
    assert list(read) == [name]
    assert logits is not None
    assert logits.shape == (1, CLASSES)


def test_an_image_does_not_depend_on_its_batch(model: LoadedModel) -> None:
    together, logits = model.activations(inputs(model, 3), names(model), logits=True)
    alone, own = model.activations(inputs(model, 3)[1:2], names(model), logits=True)
    assert logits is not None
    assert own is not None
    np.testing.assert_allclose(own[0], logits[1], rtol=1e-4, atol=1e-5)
    for name in names(model):
        np.testing.assert_allclose(alone[name][0], together[name][1], rtol=1e-3, atol=1e-4)


def test_pixels_may_be_read_only(model: LoadedModel) -> None:
    given = inputs(model, 1)
    given.flags.writeable = False
    _, logits = model.activations(given, [], logits=True)
    assert logits is not None


def test_a_trunk_gives_what_is_collected_and_gradients_of_pixels_only(model: LoadedModel) -> None:
    name = names(model)[1]
    trunk = model.trunk(name)
    given = torch.from_numpy(inputs(model, 2)).requires_grad_()
    values = trunk(given)
    read, _ = model.activations(inputs(model, 2), [name], logits=False)
    np.testing.assert_allclose(values.detach().numpy(), read[name], rtol=1e-3, atol=1e-4)
    values.sum().backward()
    assert given.grad is not None
    assert float(given.grad.abs().sum()) > 0
    assert not any(parameter.requires_grad for parameter in trunk.parameters())
    assert not trunk.training


def test_the_whole_network_gives_the_logits_and_gradients_of_pixels(model: LoadedModel) -> None:
    _, logits = model.activations(inputs(model, 2), [], logits=True)
    given = torch.from_numpy(inputs(model, 2)).requires_grad_()
    found = model.whole()(given)
    assert logits is not None
    np.testing.assert_allclose(found.detach().numpy(), logits, rtol=1e-3, atol=1e-4)
    found.sum().backward()
    assert given.grad is not None
    assert float(given.grad.abs().sum()) > 0


def test_a_trunk_takes_other_sizes(model: LoadedModel) -> None:
    side = model.card.input.height
    channels, height, width = model.layer(names(model)[1]).shape
    smaller = model.trunk(names(model)[1])(torch.rand(1, 3, side // 2, side))
    assert smaller.shape == (1, channels, height // 2, width)


def test_a_head_continues_from_each_layer(model: LoadedModel) -> None:
    given = inputs(model, 2)
    read, logits = model.activations(given, names(model), logits=True)
    assert logits is not None
    for name in names(model):
        head = model.head(name)
        state = head.prepare(torch.from_numpy(given))
        np.testing.assert_allclose(state.activations.numpy(), read[name], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(head(state, state.activations).numpy(), logits, rtol=1e-3, atol=1e-4)


def test_variants_of_one_image_keep_its_skips(model: LoadedModel) -> None:
    name = names(model)[0]
    head = model.head(name)
    state = head.prepare(torch.from_numpy(inputs(model, 1)))
    assert len(state.carried) == 1
    variants = torch.cat([state.activations, torch.zeros_like(state.activations)])
    logits = head(state, variants)
    single = head(state, variants[1:])
    assert logits.shape == (2, CLASSES)
    torch.testing.assert_close(logits[1:], single, rtol=1e-4, atol=1e-5)
    assert float((logits[0] - logits[1]).abs().max()) > 1e-4


def test_the_last_layer_has_a_linear_head(model: LoadedModel) -> None:
    name = names(model)[2]
    closed = model.linear_head(name)
    assert closed is not None
    read, logits = model.activations(inputs(model, 2), [name], logits=True)
    assert logits is not None
    means = read[name].mean((2, 3))
    np.testing.assert_allclose(means @ closed.weight.numpy().T + closed.bias.numpy(), logits, rtol=1e-3, atol=1e-3)
    assert model.linear_head(names(model)[0]) is None


def test_an_unknown_layer_is_told_the_nearest(model: LoadedModel) -> None:
    wrong = names(model)[0] + "0"
    for ask in (
        model.layer,
        model.trunk,
        model.head,
        lambda name: model.activations(inputs(model, 1), [name], logits=False),
    ):
        with pytest.raises(UnknownLayerError, match=names(model)[0]):
            ask(wrong)


def test_every_layer_is_convertible(model: LoadedModel) -> None:
    assert model.unconvertible == ()
    assert {layer.name for layer in model.layers} <= set(model.network().places)


def test_an_unresolved_card_is_refused() -> None:
    card = torchvision_card("resnet18").model_copy(update={"weights": "resnet18.safetensors"})
    with pytest.raises(ModelError, match="not resolved"):
        load_model(card, reads(b""))
    assert isinstance(card, ModelCard)
