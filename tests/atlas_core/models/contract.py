"""What every model must do, whatever it was stored as; a subclass gives the fixtures `family` and `model`.

`family` is one of families.TINY or families.FULL, `model` the same network as a LoadedModel, of module scope both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pytest
import torch
from torch import nn

from atlas_core.attribution import Places, _jvp, ablation, full_ablation
from atlas_core.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.models.base import LoadedModel
    from tests.atlas_core.models.families import Family

    Values: TypeAlias = dict[str, NDArray[np.float32]]

IMAGES = 2


def close(values: object, expected: object) -> None:
    """Equal to a thousandth of the largest value: formats and batch sizes add floats in other orders."""
    given, wanted = np.asarray(values), np.asarray(expected)
    np.testing.assert_allclose(given, wanted, rtol=1e-3, atol=1e-3 * max(1e-3, float(np.abs(wanted).max())))


def hooks(model: LoadedModel) -> int:
    """How many hooks hang on the model's modules."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(part, kind)) for part in model.network().module.modules() for kind in kinds)


class ModelContract:
    """The contract."""

    @pytest.fixture(scope="module")
    @classmethod
    def pixels(cls, family: Family) -> NDArray[np.float32]:
        return family.pixels(IMAGES)

    @pytest.fixture(scope="module")
    @classmethod
    def expected(cls, family: Family, pixels: NDArray[np.float32]) -> Values:
        """What torch's own module gives: its blocks by name, its logits under the name of nothing."""
        blocks, logits = family.expected(pixels)
        return {**blocks, "": logits}

    @pytest.fixture(scope="module")
    @classmethod
    def names(cls, model: LoadedModel) -> list[str]:
        return [layer.name for layer in model.layers]

    @pytest.fixture(scope="module")
    @classmethod
    def read(cls, model: LoadedModel, names: list[str], pixels: NDArray[np.float32]) -> Values:
        """What the model gives: every layer by name, the logits under the name of nothing."""
        values, logits = model.activations(pixels, names, logits=True)
        assert logits is not None
        return {**values, "": logits}

    def matching(self, family: Family, model: LoadedModel, read: Values, expected: Values) -> dict[str, str]:
        """For each of the family's blocks the first block layer of its shape with its values."""
        found: dict[str, str] = {}
        for block in family.blocks:
            values = expected[block]
            same = [layer.name for layer in model.layers if layer.block and read[layer.name].shape == values.shape]
            scale = 1e-3 * float(np.abs(values).max())
            equal = [name for name in same if np.allclose(read[name], values, rtol=1e-3, atol=scale)]
            assert equal, f"no block layer has the values of {block}; of its shape are {same}"
            found[block] = equal[0]
        return found

    def blocks(self, model: LoadedModel) -> list[str]:
        """The first, a middle and the last block that the logits depend on."""
        names = [layer.name for layer in model.layers if layer.block and layer.name not in model.silent]
        return [names[0], names[len(names) // 2], names[-1]]

    def test_layers_have_the_listed_shapes_and_finite_values(self, model: LoadedModel, read: Values) -> None:
        for layer in model.layers:
            assert read[layer.name].shape == (IMAGES, *layer.shape)
            assert min(layer.shape[1:]) >= 3
            assert read[layer.name].dtype == np.float32
            assert np.isfinite(read[layer.name]).all()

    def test_blocks_come_first_and_each_kind_in_order_of_execution(self, model: LoadedModel) -> None:
        kinds = [layer.block for layer in model.layers]
        assert kinds[0]
        assert kinds == sorted(kinds, reverse=True)
        network = model.network()
        order = {node: place for place, node in enumerate(network.module.graph.nodes)}
        for kind in (True, False):
            places = [order[network.places[layer.name]] for layer in model.layers if layer.block is kind]
            assert places == sorted(places)

    def test_the_familys_blocks_are_among_them_with_the_modules_own_values(
        self, family: Family, model: LoadedModel, read: Values, expected: Values
    ) -> None:
        found = self.matching(family, model, read, expected)
        names = [layer.name for layer in model.layers]
        places = [names.index(found[block]) for block in family.blocks]
        assert places == sorted(places)

    def test_logits_are_the_modules_own(self, model: LoadedModel, read: Values, expected: Values) -> None:
        assert model.classes == expected[""].shape[1]
        close(read[""], expected[""])

    def test_the_network_for_gradients_gives_the_activations_that_are_collected(
        self, model: LoadedModel, names: list[str], pixels: NDArray[np.float32], read: Values
    ) -> None:
        card = model.card.input
        mean, std = (np.array(values, np.float32).reshape(-1, 1, 1) for values in (card.mean, card.std))
        with torch.no_grad():
            values = model.network().reader(names, logits=True)(torch.from_numpy((pixels - mean) / std))
        for name, value in zip([*names, ""], values, strict=True):
            close(value.flatten(1) if name == "" else value, read[name])

    def test_trunks_give_the_activations_and_finite_gradients_of_the_pixels(
        self, model: LoadedModel, pixels: NDArray[np.float32], read: Values
    ) -> None:
        for name in self.blocks(model):
            given = torch.from_numpy(pixels).requires_grad_()
            values = model.trunk(name)(given)
            close(values.detach(), read[name])
            height, width = values.shape[2:]
            (gradient,) = torch.autograd.grad(values[:, :, height // 2, width // 2].square().sum(), given)
            assert bool(gradient.isfinite().all())
            assert float(gradient.abs().sum()) > 0

    def test_trunks_take_smaller_pictures_in_the_middle_of_the_input_where_its_size_is_fixed(
        self, family: Family, model: LoadedModel, pixels: NDArray[np.float32]
    ) -> None:
        card = model.card.input
        side = 3 * min(card.height, card.width) // 4
        small = pixels[:, :, :side, :side]
        top, left = (card.height - side) // 2, (card.width - side) // 2
        framed = np.broadcast_to(np.array(card.mean, np.float32).reshape(-1, 1, 1), pixels.shape).copy()
        framed[:, :, top : top + side, left : left + side] = small
        for name in self.blocks(model):
            assert name in model.fixed or not family.fixed  # an export may fix sizes that the module leaves free
            with torch.no_grad():
                values = model.trunk(name)(torch.from_numpy(small))
            assert bool(values.isfinite().all())
            if name in model.fixed:
                close(values, model.activations(framed, [name], logits=False)[0][name])
            else:
                _, height, width = model.layer(name).shape
                assert values.shape[2] * values.shape[3] < height * width

    def test_heads_continue_from_a_layer_to_the_logits(
        self, model: LoadedModel, pixels: NDArray[np.float32], read: Values
    ) -> None:
        for name in self.blocks(model):
            head = model.head(name)
            with torch.no_grad():
                state = head.prepare(torch.from_numpy(pixels))
                close(state.activations, read[name])
                close(head(state, state.activations), read[""])
                turned = head(state.take(torch.tensor([1, 0])), state.activations.flip(0))
                close(turned, read[""][::-1])
                assert not torch.equal(head(state, 0 * state.activations), head(state, state.activations))

    def test_layers_that_the_logits_do_not_depend_on_are_known(
        self, family: Family, model: LoadedModel, read: Values, expected: Values
    ) -> None:
        found = self.matching(family, model, read, expected)
        assert {block for block in family.blocks if found[block] in model.silent} == set(family.silent)
        for block in family.silent:
            with pytest.raises(ModelError, match="no logits that depend on the layer"):
                model.head(found[block])

    def test_attribution_by_ablation_is_that_of_full_runs_and_by_derivatives_is_finite(
        self, model: LoadedModel, pixels: NDArray[np.float32]
    ) -> None:
        for name in self.blocks(model)[1:]:
            head = model.head(name)
            with torch.no_grad():
                state = head.prepare(torch.from_numpy(pixels))
            height, width = model.layer(name).shape[1:]
            axes = ([0, 1, 1], [0, height // 2, height - 1], [width - 1, width // 2, 1])
            places = Places(*(torch.tensor(axis) for axis in axes))
            expected = full_ablation(head, state)(places)
            close(ablation(head, state)(places), expected)
            assert float(expected.abs().max()) > 0
            derivative = _jvp(head, state)(places)
            assert derivative.shape == expected.shape
            assert bool(derivative.isfinite().all())

    def test_an_image_does_not_depend_on_its_batch(
        self, model: LoadedModel, names: list[str], pixels: NDArray[np.float32], read: Values
    ) -> None:
        together, logits = model.activations(np.concatenate([pixels[1:], pixels]), names, logits=True)
        assert logits is not None
        close(logits, read[""][[1, 0, 1]])
        for name in names:
            close(together[name], read[name][[1, 0, 1]])

    def test_no_hooks_remain_also_after_a_failure(self, model: LoadedModel, pixels: NDArray[np.float32]) -> None:
        name = self.blocks(model)[0]
        with pytest.raises((RuntimeError, ValueError, TypeError)):
            model.trunk(name)(torch.zeros(1, 1 + pixels.shape[1], 8, 8))
        model.trunk(name)(torch.from_numpy(pixels))
        assert hooks(model) == 0
        assert not any(parameter.requires_grad for parameter in model.network().module.parameters())
        assert isinstance(model.trunk(name), nn.Module)
        assert not model.trunk(name).training
