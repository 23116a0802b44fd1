import dataclasses
import time
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from atlas_core.cards import InputCard, LayerInfo, ReceptiveField
from atlas_core.errors import SpecError
from atlas_core.featurevis.recipes import RECIPES
from atlas_core.featurevis.render import Renderer, render
from atlas_core.whitening import Whitening

CARD = InputCard(channels=3, height=64, width=64, mean=[0.5, 0.5, 0.5], std=[0.25, 0.25, 0.25])
LAYER = LayerInfo(
    name="conv", shape=(4, 31, 31), receptive_field=ReceptiveField(size=(4, 4), jump=(2, 2), start=(2.0, 2.0))
)
CANVAS = 32


class Colours(nn.Module):
    """Red, green, blue and upright edges, each over 4 x 4 pixels."""

    def __init__(self) -> None:
        super().__init__()
        weight = torch.zeros(4, 3, 4, 4)
        for colour in range(3):
            weight[colour, colour] = 1 / 16
        weight[3, :, :, :2], weight[3, :, :, 2:] = -1 / 12, 1 / 12
        self.weight = weight

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.relu(nn.functional.conv2d((pixels - 0.5) / 0.25, self.weight, stride=2))


def plain_whitening(scale: tuple[float, ...] = (1, 1, 1, 1)) -> Whitening:
    return Whitening(mean=np.zeros(4, np.float32), matrix=np.diag(scale).astype(np.float32), condition=1.0)


def seeds(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(count, 20, 20, 3)).astype(np.float32)


def targets(count: int) -> NDArray[np.float32]:
    return np.eye(4, dtype=np.float32)[np.arange(count) % 4]


def icons(recipe: str, chosen: list[int], whitening: Whitening | None = None) -> NDArray[np.uint8]:
    everything = seeds(40)
    return render(
        Colours(), RECIPES[recipe], targets(40)[chosen], whitening or plain_whitening(),
        everything[chosen] if RECIPES[recipe].seeded else None, CANVAS, CARD, chosen, layer=LAYER,
    )  # fmt: skip


def activations(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.no_grad():
        seen: torch.Tensor = Colours()(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)
    return np.asarray(seen[:, :, 6:9, 6:9].mean(dim=(2, 3)).numpy())


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_icons_excite_their_direction(recipe: str) -> None:
    torch.set_num_threads(1)
    pictures = icons(recipe, [0, 1, 2, 3])
    assert pictures.shape == (4, CANVAS, CANVAS, 3)
    assert pictures.dtype == np.uint8
    seen = activations(pictures)
    assert seen.argmax(axis=1).tolist() == [0, 1, 2, 3]
    assert (seen.max(axis=1) > 0.5).all()


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_an_icon_has_nothing_of_its_companions(recipe: str) -> None:
    torch.set_num_threads(1)
    alone, company = icons(recipe, [5])[0], icons(recipe, list(range(40)))
    assert np.array_equal(alone, company[5])
    assert np.abs(alone.astype(int) - company[9]).mean() > 2


@pytest.mark.parametrize("recipe", ["fast", "pure"])
def test_an_icon_is_the_same_to_the_bit_among_1_7_and_64(recipe: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(3)
    layers = nn.Conv2d(3, 16, 5, stride=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 48, 3), nn.ReLU()
    trunk = nn.Sequential(*layers).requires_grad_(False).eval()
    goals, start = np.random.default_rng(0).random((64, 48), dtype=np.float32), seeds(64)
    white = Whitening(mean=goals.mean(axis=0), matrix=np.eye(48, dtype=np.float32), condition=1.0)
    renderer = Renderer(trunk, RECIPES[recipe], white, CANVAS, input=CARD, layer=LAYER)

    def made(chosen: list[int]) -> NDArray[np.uint8]:
        return renderer(goals[chosen], start[chosen] if renderer.recipe.seeded else None, chosen)

    alone, seven, all_of_them = made([20]), made([3, 20, 9, 33, 1, 50, 62]), made(list(range(64)))
    assert np.array_equal(seven[1], alone[0])
    assert np.array_equal(all_of_them[20], alone[0])
    assert np.array_equal(all_of_them[[3, 20, 9, 33, 1, 50, 62]], seven)


def test_more_steps_are_better_and_are_reported() -> None:
    torch.set_num_threads(1)
    reached, calls = [], []
    for steps in (0, 4, 16):
        recipe = dataclasses.replace(RECIPES["detail"], steps=steps)
        picture = render(
            Colours(), recipe, targets(1), plain_whitening(), seeds(1), CANVAS, CARD, [0],
            lambda done, total: calls.append((done, total)), layer=LAYER,
        )  # fmt: skip
        seen = activations(picture)[0]
        reached.append(float(seen[0] * (seen[0] / np.linalg.norm(seen)) ** 2))
    assert all(after > before for before, after in pairwise(reached))
    assert calls[:4] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert calls[-1] == (16, 16)


def test_the_callback_cancels() -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(
            Colours(), RECIPES["fast"], targets(1), plain_whitening(), seeds(1), CANVAS, CARD, [0], stop, layer=LAYER
        )


def test_whitening_decides_the_direction() -> None:
    torch.set_num_threads(1)
    both = np.array([[1, 0, 1, 0]], dtype=np.float32)
    grey = np.zeros((1, 20, 20, 3), np.float32)
    shown = [
        activations(
            render(
                Colours(), RECIPES["detail"], both, plain_whitening(scale), grey, CANVAS, CARD, [0], layer=LAYER,
            )
        )[0]
        for scale in ((3, 1, 0.3, 1), (0.3, 1, 3, 1))
    ]  # fmt: skip
    assert shown[0][0] > shown[0][2] + 0.2
    assert shown[1][2] > shown[1][0] + 0.2


def test_a_seed_beats_noise_at_equal_steps() -> None:
    torch.set_num_threads(1)
    recipe = dataclasses.replace(RECIPES["fast"], steps=2)
    bars = np.where(np.arange(20) < 10, -2, 2)[None, None, :, None] * np.array([1.0, 0, 0])
    edge = np.broadcast_to(bars, (1, 20, 20, 3)).astype(np.float32)
    seeded = render(Colours(), recipe, targets(4)[3:], plain_whitening(), edge, CANVAS, CARD, [0], layer=LAYER)
    noise = np.random.default_rng(1).normal(size=(1, 20, 20, 3)).astype(np.float32)
    unseeded = render(Colours(), recipe, targets(4)[3:], plain_whitening(), noise, CANVAS, CARD, [0], layer=LAYER)
    assert activations(seeded)[0, 3] > activations(unseeded)[0, 3] + 0.05


def test_missing_seeds_and_keys_are_refused() -> None:
    with pytest.raises(SpecError, match="pure"):
        render(Colours(), RECIPES["vivid"], targets(1), plain_whitening(), None, CANVAS, CARD, [0], layer=LAYER)
    with pytest.raises(SpecError, match="as many"):
        render(Colours(), RECIPES["vivid"], targets(2), plain_whitening(), seeds(2), CANVAS, CARD, [0], layer=LAYER)


def test_eight_icons_of_eight_steps_take_under_a_second() -> None:
    torch.set_num_threads(1)
    recipe = dataclasses.replace(RECIPES["vivid"], steps=8)
    start = time.process_time()
    render(Colours(), recipe, targets(8), plain_whitening(), seeds(8), CANVAS, CARD, list(range(8)), layer=LAYER)
    assert time.process_time() - start < 1
