"""From directions to icons: the renderer."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from atlas_core.errors import SpecError
from atlas_core.featurevis.ascent import Ascent, Precision
from atlas_core.featurevis.objectives import Whitener, centre, direction_objective
from atlas_core.featurevis.parameterization import Spectrum, as_levels, colour_matrix, start_picture
from atlas_core.featurevis.recipes import THUMBNAIL_SIDE, Recipe, at_layer, centre_positions, shown_side
from atlas_core.featurevis.transforms import transform_table
from atlas_core.memory import Batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import nn

    from atlas_core.cards import InputCard, LayerInfo
    from atlas_core.whitening import Whitening

BATCHES, BATCH_PIXELS = (25, 20, 10, 5, 4), 160_000
"""On a CPU: parts of a tile's 100 icons, so that the last one is full as well."""
GPU_BATCH = 1024
SMALLEST_CAPTURED = 16
TRIED = 8
OnStep = Callable[[int, int], None]


class Renderer:
    """Renders the icons of some cells of a layer by a recipe.

    An icon depends on its own target, seed and key alone: on a CPU to the bit, on a GPU but for the last digits.

    Args:
        trunk: From pixels in 0..1 to the layer's activations, on `device`.
        recipe: How.
        whitening: The layer's.
        canvas: Side of the icons in input pixels, from `recipes.canvas_size`.
        colours: Of the data, from `parameterization.colours_of`; None where nothing is known of them.
        input: The model's input: its channels and mean colour.
        layer: The layer that the trunk ends with.
        device: Where to compute.
        precision: Of the network on a GPU.
    """

    def __init__(
        self,
        trunk: nn.Module,
        recipe: Recipe,
        whitening: Whitening,
        canvas: int,
        *,
        input: InputCard,
        layer: LayerInfo,
        colours: NDArray[np.float32] | None = None,
        device: torch.device | str = "cpu",
        precision: Precision = "bf16",
    ) -> None:
        self.trunk, self.canvas, self.device = trunk, canvas, torch.device(device)
        self.recipe = recipe = at_layer(recipe, layer, input)
        self.channels = input.channels
        self.whiten = Whitener(whitening, self.device)
        self.seed_side = shown_side(canvas, layer, input)
        self.positions = centre_positions(layer, canvas)
        colours = colour_matrix(input.channels) if colours is None else colours
        self.picture = Spectrum(colours, canvas, canvas, self.device, recipe.colour_gain)
        mean = torch.tensor(input.mean, dtype=torch.float32, device=self.device)
        self._ascent = Ascent(
            self.picture.pixels,
            trunk,
            self._gain,
            mean,
            recipe.steps,
            recipe.learning_rate,
            focus=self._focus,
            precision=precision,
        )

    def batches(self, *, few: bool = False) -> Batches:
        """How many icons at once: on a GPU as many as its free memory does for, 1,024 at most; on a CPU 4 to 25.

        On a CPU every batch is filled up to its size: networks sum floats in another order for another size, and many
        steps let that grow. So icons are the same to the bit in whatever company.

        Args:
            few: Whether there may be one icon or two, for which a CPU takes batches of 4.
        """
        return Batches(BATCHES[-1] if few and self.device.type != "cuda" else self._most, "icon")

    @cached_property
    def _most(self) -> int:
        if self.device.type != "cuda":
            return next((size for size in BATCHES if size * self.canvas**2 <= BATCH_PIXELS), BATCHES[-1])
        targets = self.whiten.mean.expand(TRIED, -1)
        seeds = np.zeros((TRIED, THUMBNAIL_SIDE, THUMBNAIL_SIDE, self.channels), np.float32)
        fitting = self._ascent.fitting(self._start(seeds, range(TRIED)), self.whiten(targets), GPU_BATCH)
        return 1 << (fitting.bit_length() - 1)  # batches are filled up to powers of two

    def _focus(self, share: float) -> None:
        self.picture.focus(self.recipe.opened(share))

    def _gain(self, activations: torch.Tensor, goals: torch.Tensor) -> torch.Tensor:
        return direction_objective(self.whiten(centre(activations, self.positions)), goals)

    def __call__(
        self,
        targets: NDArray[np.float32],
        seeds: NDArray[np.float32] | None,
        keys: Sequence[int],
        on_step: OnStep = lambda done, total: None,
        batches: Batches | None = None,
    ) -> NDArray[np.uint8]:
        """Render.

        Args:
            targets: Mean activations of the cells, shape (m, layer's channels).
            seeds: Mean thumbnails in decorrelated-logit space, shape (m, 20, 20, channels); None for a recipe without.
            keys: A number for each icon, from which all its randomness comes.
            on_step: Called with (icon steps done, all icon steps); it cancels by raising.
            batches: How many icons at once, halved where memory runs out; `batches()` by
                default.

        Returns:
            Icons, shape (m, canvas, canvas, channels), in the network's order of channels.

        Raises:
            SpecError: The recipe starts from seeds and there are none, or numbers do not agree.
            MemoryLimitError: Memory does not do for a single icon.
        """
        recipe = self.recipe
        if recipe.seeded and seeds is None:
            raise SpecError(f"the recipe {recipe.name!r} starts from thumbnails, and there are none; `pure` needs none")
        if len(keys) != len(targets) or (seeds is not None and len(seeds) != len(targets)):
            raise SpecError(f"{len(targets)} targets need as many keys and seeds")
        icons = np.empty((len(targets), self.canvas, self.canvas, self.channels), dtype=np.uint8)
        total = recipe.steps * len(targets)
        batches = batches or self.batches()
        first = 0

        def some(size: int) -> int:
            part = slice(first, first + size)
            several = len(targets[part])
            rows = self._filled(several, size)
            icons[part] = self._batch(
                targets[part][rows], None if seeds is None else seeds[part][rows], [keys[first + row] for row in rows],
                lambda steps: on_step(first * recipe.steps + steps * several, total),
            )[:several]  # fmt: skip
            return several

        while first < len(targets):
            first += batches.run(some)
        return icons

    def _filled(self, count: int, size: int) -> NDArray[np.int64]:
        """Which icons a batch is made of: the last again and again until it is full.

        On a GPU a batch is full at the next power of two, so that a few captured steps do for all tiles.
        """
        if self.device.type == "cuda":
            size = min(size, max(SMALLEST_CAPTURED, 1 << (count - 1).bit_length()))
        return np.minimum(np.arange(size), count - 1)

    def _batch(
        self,
        targets: NDArray[np.float32],
        seeds: NDArray[np.float32] | None,
        keys: Sequence[int],
        on_step: Callable[[int], None],
    ) -> NDArray[np.uint8]:
        goals = self.whiten(torch.as_tensor(targets, dtype=torch.float32, device=self.device))
        matrices = transform_table(keys, self.recipe, self.canvas, self.canvas, self.device)
        reached = self._ascent(self._start(seeds, keys), goals, matrices, on_step)
        with torch.no_grad():
            return as_levels(self.picture.pixels(reached))

    @torch.no_grad()
    def starts(self, seeds: NDArray[np.float32] | None, keys: Sequence[int], batches: Batches) -> NDArray[np.uint8]:
        """The pictures that icons start from, of the same shape; arguments as of a call."""
        self.picture.focus(1.0)
        shown: list[NDArray[np.uint8]] = []
        first = 0

        def some(size: int) -> NDArray[np.uint8]:
            part = slice(first, first + size)
            return as_levels(self.picture.pixels(self._start(None if seeds is None else seeds[part], keys[part])))

        while first < len(keys):
            shown.append(batches.run(some))
            first += len(shown[-1])
        return np.concatenate(shown)

    def _start(self, seeds: NDArray[np.float32] | None, keys: Sequence[int]) -> torch.Tensor:
        noise = self.picture.noise(keys)
        if not self.recipe.seeded:
            return self.picture.drawn(noise, self.recipe.start_deviation)
        thumbnails = torch.as_tensor(seeds, dtype=torch.float32, device=self.device).permute(0, 3, 1, 2)
        recipe = self.recipe
        start = start_picture(thumbnails, self.seed_side, recipe.start_size, recipe.start_deviation, self.canvas)
        return self.picture.start(start, noise)


def render(
    trunk: nn.Module,
    recipe: Recipe,
    targets: NDArray[np.float32],
    whitening: Whitening,
    seeds: NDArray[np.float32] | None,
    canvas: int,
    input: InputCard,
    keys: Sequence[int],
    on_step: OnStep | None = None,
    *,
    layer: LayerInfo,
    device: torch.device | str = "cpu",
    batches: Batches | None = None,
) -> NDArray[np.uint8]:
    """Render the icons of some cells, once; see `Renderer` for arguments, result and errors."""
    renderer = Renderer(trunk, recipe, whitening, canvas, input=input, layer=layer, device=device)
    return renderer(targets, seeds, keys, on_step or (lambda done, total: None), batches)
