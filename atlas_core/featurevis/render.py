"""From directions to icons: the renderer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from atlas_core.errors import SpecError
from atlas_core.featurevis.objectives import Whitener, centre, direction_objective
from atlas_core.featurevis.parameterization import (
    PhasePicture,
    SpectrumPicture,
    spectrum_noise,
    start_picture,
)
from atlas_core.featurevis.recipes import THUMBNAIL_SIDE, Recipe, centre_positions, thumbnail_window
from atlas_core.featurevis.transforms import move, transform_table
from atlas_core.memory import Batches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import nn

    from atlas_core.cards import InputCard, LayerInfo
    from atlas_core.whitening import Whitening

BATCH = 32
BETAS = (0.9, 0.999)
EPSILON = 1e-8


def render(
    trunk: nn.Module,
    recipe: Recipe,
    targets: NDArray[np.float32],
    whitening: Whitening,
    seeds: NDArray[np.float32] | None,
    canvas: int,
    input: InputCard,
    keys: Sequence[int],
    on_step: Callable[[int, int], None] | None = None,
    *,
    layer: LayerInfo,
    device: torch.device | str = "cpu",
    batches: Batches | None = None,
) -> NDArray[np.uint8]:
    """Render the icons of some cells.

    An icon depends on its own target, seed and key; on its companions only by the order in which floats are summed.

    Args:
        trunk: From pixels in 0..1 to the layer's activations.
        recipe: How.
        targets: Mean activations of the cells, shape (m, layer's channels).
        whitening: The layer's.
        seeds: Mean thumbnails in decorrelated-logit space, shape (m, 20, 20, channels); None for a recipe without.
        canvas: Side of the icons in input pixels, from `recipes.canvas_size`.
        input: The model's input: its channels and mean colour.
        keys: A number for each icon, from which all its randomness comes.
        on_step: Called with (icon steps done, all icon steps); it cancels by raising.
        layer: The layer that the trunk ends with.
        device: Where to compute.
        batches: How many icons at once, halved where memory runs out; 32 by default.

    Returns:
        Icons, shape (m, canvas, canvas, channels), in the network's order of channels.

    Raises:
        SpecError: The recipe starts from seeds and there are none, or numbers do not agree.
        MemoryLimitError: Memory does not do for a single icon.
    """
    if recipe.seeded and seeds is None:
        raise SpecError(f"the recipe {recipe.name!r} starts from thumbnails, and there are none; `pure` needs none")
    if len(keys) != len(targets) or (seeds is not None and len(seeds) != len(targets)):
        raise SpecError(f"{len(targets)} targets need as many keys and seeds")
    batch_render = _Renderer(trunk, recipe, whitening, canvas, input, layer, torch.device(device))
    icons = np.empty((len(targets), canvas, canvas, input.channels), dtype=np.uint8)
    total = recipe.steps * len(targets)
    batches = batches or Batches(BATCH, "icon")
    first = 0

    def some(size: int) -> int:
        part = slice(first, first + size)

        def report(steps: int) -> None:
            if on_step is not None:
                on_step(first * recipe.steps + steps * len(targets[part]), total)

        icons[part] = batch_render(targets[part], None if seeds is None else seeds[part], keys[part], report)
        return size

    while first < len(targets):
        first += batches.run(some, len(targets) - first)
    return icons


class _Renderer:
    def __init__(
        self,
        trunk: nn.Module,
        recipe: Recipe,
        whitening: Whitening,
        canvas: int,
        card: InputCard,
        layer: LayerInfo,
        device: torch.device,
    ) -> None:
        self.trunk, self.recipe, self.canvas, self.device = trunk, recipe, canvas, device
        self.channels = card.channels
        self.mean = torch.tensor(card.mean, dtype=torch.float32, device=device)
        self.whiten = Whitener(whitening, device)
        self.positions = centre_positions(layer, canvas)
        window = thumbnail_window(layer, card)
        self.seed_side = min(THUMBNAIL_SIDE, round(THUMBNAIL_SIDE * canvas / window))

    def __call__(
        self,
        targets: NDArray[np.float32],
        seeds: NDArray[np.float32] | None,
        keys: Sequence[int],
        report: Callable[[int], None],
    ) -> NDArray[np.uint8]:
        recipe = self.recipe
        picture = self._start(seeds, keys)
        goal = self.whiten(torch.as_tensor(targets, dtype=torch.float32, device=self.device))
        tables = np.stack([transform_table(key, recipe, self.canvas) for key in keys], axis=1)  # (steps, m, 2, 3)
        matrices = torch.from_numpy(tables).to(self.device)
        adam = _Adam(picture.parameter)
        for step in range(recipe.steps):
            moved = move(picture.pixels(), matrices[step], self.mean)
            activations = self.trunk(moved.contiguous(memory_format=torch.channels_last))
            gain = direction_objective(self.whiten(centre(activations, self.positions)), goal)
            (gradient,) = torch.autograd.grad(gain, picture.parameter)
            adam.ascend(gradient, recipe.learning_rate * (1 - step / recipe.steps))
            report(step + 1)
        with torch.no_grad():
            levels = (picture.pixels() * 255).round().to(torch.uint8)
        return np.asarray(levels.permute(0, 2, 3, 1).cpu().numpy())

    def _start(self, seeds: NDArray[np.float32] | None, keys: Sequence[int]) -> SpectrumPicture | PhasePicture:
        recipe, canvas = self.recipe, self.canvas
        noise = torch.from_numpy(np.stack([spectrum_noise(key, self.channels, canvas) for key in keys])).to(self.device)
        if not recipe.seeded or seeds is None:
            return PhasePicture(noise, canvas, recipe.start_deviation)
        thumbnails = torch.as_tensor(seeds, dtype=torch.float32, device=self.device).permute(0, 3, 1, 2)
        start = start_picture(thumbnails, self.seed_side, recipe.start_size, recipe.start_deviation, canvas)
        return SpectrumPicture(start, noise)


class _Adam:
    """Adam, upwards; torch's own takes seconds to import its compiler and would be fresh for every batch anyway."""

    def __init__(self, parameter: torch.Tensor) -> None:
        self.parameter = parameter
        self.first = torch.zeros_like(parameter, requires_grad=False)
        self.second = torch.zeros_like(parameter, requires_grad=False)
        self.step = 0

    @torch.no_grad()
    def ascend(self, gradient: torch.Tensor, learning_rate: float) -> None:
        self.step += 1
        self.first.lerp_(gradient, 1 - BETAS[0])
        self.second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        root = (self.second / (1 - BETAS[1] ** self.step)).sqrt_().add_(EPSILON)
        self.parameter.addcdiv_(self.first, root, value=learning_rate / (1 - BETAS[0] ** self.step))
