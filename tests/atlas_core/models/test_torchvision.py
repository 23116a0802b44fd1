from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from atlas_core.errors import ModelError
from atlas_core.models.torchvision import load_torchvision
from tests.atlas_core.models.nets import module, pixels, reads, torchvision_card, weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

NET = "squeezenet1_1"


def test_logits_and_activations_are_those_of_the_module() -> None:
    network = module(NET)
    kept: dict[str, NDArray[np.float32]] = {}
    network.get_submodule("features.4").register_forward_hook(lambda _, __, output: kept.update(fire=output.numpy()))
    model = load_torchvision(torchvision_card(NET), reads(weights(NET)))
    given = pixels(2, 64)
    read, logits = model.activations(given, ["features.4"], logits=True)
    mean, std = (np.array(values, np.float32).reshape(3, 1, 1) for values in ([0.5, 0.4, 0.3], [0.25, 0.5, 1]))
    with torch.no_grad():
        expected = network(torch.from_numpy((given - mean) / std)).numpy()
    assert logits is not None
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(read["features.4"], kept["fire"], rtol=1e-4, atol=1e-5)


def test_loading_leaves_the_callers_random_numbers_alone() -> None:
    data = weights(NET)
    torch.manual_seed(5)
    load_torchvision(torchvision_card(NET), reads(data))
    after = torch.rand(1)
    torch.manual_seed(5)
    assert after == torch.rand(1)


class Touches:
    """A pickle that leaves a file behind where it is run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("form", ["torch", "pickle"])
def test_a_pickle_is_refused_and_not_run(form: str, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    value = {"weight": Touches(touched)}
    data = pickle.dumps(value)
    if form == "torch":
        file = io.BytesIO()
        torch.save(value, file)
        data = file.getvalue()
    with pytest.raises(ModelError, match=r"pickle.*safetensors"):
        load_torchvision(torchvision_card(NET), reads(data))
    assert not touched.exists()


def test_an_unknown_architecture_is_told_the_nearest() -> None:
    with pytest.raises(ModelError, match="squeezenet1_1"):
        load_torchvision(torchvision_card("squeezenet11"), reads(b""))


def test_architectures_that_fetch_weights_of_their_own_are_not_offered() -> None:
    with pytest.raises(ModelError, match="no classification architecture 'deeplabv3_resnet50'"):
        load_torchvision(torchvision_card("deeplabv3_resnet50"), reads(b""))


@pytest.mark.parametrize("argument", ["weights", "pretrained", "weights_backbone"])
def test_arguments_that_fetch_weights_are_refused(argument: str) -> None:
    card = torchvision_card(NET).model_copy(update={"arguments": {argument: "DEFAULT"}})
    with pytest.raises(ModelError, match="would fetch weights"):
        load_torchvision(card, reads(b""))


def test_unknown_arguments_are_refused() -> None:
    with pytest.raises(ModelError, match="does not take the card's arguments"):
        load_torchvision(torchvision_card(NET, colour="blue"), reads(b""))


def test_an_input_too_small_for_the_network_is_refused() -> None:
    with pytest.raises(ModelError, match=r"does not take the card's input of \(3, 8, 8\)"):
        load_torchvision(torchvision_card(NET, side=8), reads(weights(NET)))
