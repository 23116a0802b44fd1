from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load
from torchvision.models import squeezenet1_1

from service.demo.world import CLASSES, MODELS, generate, model_card, paste_noodles, weights_file

Pictures = NDArray[np.uint8]


def network(model: str) -> torch.nn.Module:
    loaded: torch.nn.Module = squeezenet1_1(**model_card(model)["arguments"])
    loaded.load_state_dict(load(weights_file(model).read_bytes()), strict=True)
    return loaded.eval()


@torch.inference_mode()
def predicted(model: torch.nn.Module, pictures: Pictures) -> list[str]:
    inputs = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 127.5 - 1
    return [CLASSES[int(index)] for part in torch.split(inputs, 100) for index in model(part).argmax(1)]


def world(seed: int, pictures: int, shortcut: bool) -> tuple[list[str], Pictures]:
    rows = [(name, picture) for name, _, _, picture in generate(seed, pictures, shortcut)]
    return [name for name, _ in rows], np.stack([picture for _, picture in rows])


def test_the_weights_are_small_and_in_half_precision() -> None:
    for model in MODELS:
        stored = weights_file(model).read_bytes()
        assert len(stored) < 2_000_000
        assert {value.dtype for value in load(stored).values()} == {torch.float16}


@pytest.mark.parametrize("model", MODELS)
def test_the_networks_recognise_a_small_world(model: str) -> None:
    names, pictures = world(9, 50, model == "model")
    assert np.mean(np.array(predicted(network(model), pictures)) == names) >= 0.9


@pytest.mark.proof
@pytest.mark.parametrize("model", MODELS)
def test_the_networks_are_right_on_95_percent_of_the_held_out_demo_world(model: str) -> None:
    names, pictures = world(0, 2000, model == "model")
    assert np.mean(np.array(predicted(network(model), pictures)) == names) >= 0.95


@pytest.mark.proof
def test_noodles_turn_pans_into_woks_for_the_network_with_the_shortcut_only() -> None:
    names, pictures = world(0, 2000, False)
    pans = pictures[np.array(names) == "pan"]
    pasted = np.stack([paste_noodles(pan, np.random.default_rng(k)) for k, pan in enumerate(pans)])
    flipped = {}
    for model in MODELS:
        loaded = network(model)
        before, after = np.array(predicted(loaded, pans)), np.array(predicted(loaded, pasted))
        flipped[model] = np.mean(after[before == "pan"] == "wok")
    assert flipped["model"] >= 0.3
    assert flipped["model-clean"] <= 0.1
