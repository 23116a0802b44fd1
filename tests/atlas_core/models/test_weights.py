from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import save

from atlas_core.errors import ModelError
from atlas_core.models.torchvision import load_torchvision
from atlas_core.models.weights import read_state
from tests.atlas_core.models.nets import module, pixels, reads, torchvision_card, weights

NET = "squeezenet1_1"


def saved(value: object) -> bytes:
    data = io.BytesIO()
    torch.save(value, data)
    return data.getvalue()


@pytest.mark.parametrize("nested", [False, True])
def test_torchs_own_format_is_read(nested: bool) -> None:
    state = {"a.weight": torch.ones(2)}
    assert list(read_state(saved({"state_dict": state, "epoch": 3} if nested else state))) == ["a.weight"]


def test_float16_weights_become_float32() -> None:
    halves = {key: value.half() for key, value in module(NET).state_dict().items()}
    model = load_torchvision(torchvision_card(NET), reads(bytes(save(halves))))
    read, _ = model.activations(pixels(1, 64), ["features.3"], logits=False)
    assert read["features.3"].dtype == np.float32


def test_a_pickled_module_is_refused() -> None:
    with pytest.raises(ModelError, match=r"pickle.*safetensors.torch.save_file\(model.state_dict\(\)"):
        read_state(saved(torch.nn.Linear(2, 2)))


def test_torchscript_is_refused() -> None:
    data = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer torch says that TorchScript is deprecated
        torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)), data)  # type: ignore[no-untyped-call]
    with pytest.raises(ModelError, match="safetensors"):
        read_state(data.getvalue())


@pytest.mark.parametrize("value", [[torch.ones(1)], {"weight": 3}])
def test_what_is_no_state_dict_is_refused(value: object) -> None:
    with pytest.raises(ModelError, match="no state dict"):
        read_state(saved(value))


def test_broken_safetensors_are_refused() -> None:
    with pytest.raises(ModelError, match="broken safetensors"):
        read_state(weights(NET)[:2000])


def test_weights_of_another_architecture_are_named() -> None:
    with pytest.raises(ModelError) as raised:
        load_torchvision(torchvision_card(NET), reads(weights("squeezenet1_0")))
    detail = raised.value.detail
    assert "do not match small (squeezenet1_1)" in detail
    assert "features.0.weight is (96, 3, 7, 7) and should be (64, 3, 3, 3)" in detail
    assert "missing" in detail
    assert "unexpected" in detail
    assert "more)" in detail


def test_another_number_of_classes_is_named() -> None:
    with pytest.raises(
        ModelError, match=r"2 of another shape \(classifier.1.weight is \(5, 512, 1, 1\) and should be \(7,"
    ):
        load_torchvision(torchvision_card(NET, num_classes=7), reads(weights(NET)))
