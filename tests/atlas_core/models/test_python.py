"""Architectures of an installed package: a real distribution on the path, as pip leaves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import save

from atlas_core.cards import ModelCard
from atlas_core.errors import ModelError
from atlas_core.models.base import load_model
from tests.atlas_core.models.nets import input_card, pixels, reads

if TYPE_CHECKING:
    from pathlib import Path

CODE = """
import torch
from torch import nn

class Small(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.fc = nn.Linear(width, 2)

    def forward(self, pixels):
        return self.fc(torch.relu(self.stem(pixels)).mean((2, 3)))

def small(width=4):
    if width < 1:
        raise ValueError("width must be positive")
    return Small(width)

def nothing():
    return "no module"

class Branching(Small):
    def forward(self, pixels):
        return pixels if pixels.sum() > 0 else -pixels

def branching():
    return Branching()
"""
POINTS = """[atlas.models]
small = tests_small_net:small
nothing = tests_small_net:nothing
branching = tests_small_net:branching
missing = tests_small_net.absent:small
"""


@pytest.fixture
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tests_small_net.py").write_text(CODE)
    information = tmp_path / "tests_small_net-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: tests-small-net\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(tmp_path)


def card(architecture: str, **arguments: Any) -> ModelCard:
    return ModelCard(name="mine", format="python", architecture=architecture, arguments=arguments,
                     weights="sha256:00", input=input_card(8))  # fmt: skip


def state(width: int = 4) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    shapes = {"stem.weight": (width, 3, 3, 3), "stem.bias": (width,), "fc.weight": (2, width), "fc.bias": (2,)}
    return {name: torch.randn(shape, generator=random) for name, shape in shapes.items()}


@pytest.mark.usefixtures("_installed")
def test_an_installed_architecture_is_built_with_the_cards_arguments_and_weights() -> None:
    given, weights = pixels(2, 8), state(6)
    model = load_model(card("small", width=6), reads(bytes(save(weights))))
    read, logits = model.activations(given, ["stem"], logits=True)
    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (model.card.input.mean, model.card.input.std))
    stem = torch.nn.functional.conv2d((torch.from_numpy(given) - mean) / std, weights["stem.weight"],
                                      weights["stem.bias"], padding=1)  # fmt: skip
    np.testing.assert_allclose(read["stem"], stem, rtol=1e-4, atol=1e-5)
    expected = stem.relu().mean((2, 3)) @ weights["fc.weight"].T + weights["fc.bias"]
    assert logits is not None
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    assert model.trunk("stem")(torch.rand(1, 3, 16, 16)).shape == (1, 6, 16, 16)


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize(
    ("architecture", "arguments", "message"),
    [
        ("smal", {}, "no architecture 'smal' is installed .*; there are .*branching, missing, nothing, small"),
        ("missing", {}, "is installed and cannot be imported"),
        ("nothing", {}, "gives str and should give a torch.nn.Module"),
        ("small", {"width": 0}, "cannot be built from the card's arguments: width must be positive"),
        ("small", {"depth": 3}, "cannot be built from the card's arguments: .*depth"),
        ("small", {"width": 5}, r"do not match mine \(small\): 3 of another shape"),
        ("branching", {}, "branching cannot be traced by torch.fx"),
    ],
)
def test_what_cannot_be_used_is_named(architecture: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load_model(card(architecture, **arguments), reads(bytes(save(state()))))


def test_where_nothing_is_installed_it_is_said() -> None:
    with pytest.raises(ModelError, match=r"entry-point group 'atlas.models'; there is none"):
        load_model(card("small"), reads(b""))
