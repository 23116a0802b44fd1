"""What raises a class's logit through the whole network: no map, no data, nothing but the network's own opinion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from atlas_core.featurevis.ascent import Ascent
from atlas_core.featurevis.parameterization import Spectrum, as_levels
from atlas_core.featurevis.transforms import transform_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from atlas_core.cards import InputCard
    from atlas_core.featurevis.recipes import Recipe

STARTS = 16
"""Random starts of which each class takes the best: where a logit is cut off at 0, from most none can climb."""
STRENGTHS = (1, 2, 4)


def logit_gain(logits: torch.Tensor, goals: torch.Tensor) -> torch.Tensor:
    """Sum of each picture's own logit; goals (m, classes) are 1 at its class and 0 elsewhere."""
    return (logits * goals).sum()


def render_logits(
    network: nn.Module,
    recipe: Recipe,
    classes: Sequence[int],
    keys: Sequence[int],
    *,
    width_of_logits: int,
    input: InputCard,
    colours: NDArray[np.float32],
    device: torch.device,
    on_step: Callable[[int], None] = lambda step: None,
) -> NDArray[np.uint8]:
    """Render classes.

    Args:
        network: From pixels in 0..1 of the input's size to logits, shape (m, classes).
        recipe: One that starts from noise.
        classes: Their indices.
        keys: A number for each picture, from which all its randomness comes.
        width_of_logits: Number of the network's classes.
        input: The model's input, which the canvas is as large as.
        colours: Of the data, shape (channels, channels).
        device: Where the network is.
        on_step: Called with the steps done; cancels by raising.

    Returns:
        Shape (m, height, width, channels).
    """
    mean = torch.tensor(input.mean, dtype=torch.float32, device=device)
    spectrum = Spectrum(colours, input.height, input.width, device, recipe.colour_gain)
    wanted = zip(classes, keys, strict=True)
    starts = torch.cat([_best_start(network, spectrum, recipe, label, key) for label, key in wanted])
    goals = torch.zeros(len(classes), width_of_logits, device=device)
    goals[torch.arange(len(classes)), torch.tensor(classes)] = 1
    matrices = transform_table(keys, recipe, input.height, input.width, device)
    ascent = Ascent(
        spectrum.pixels, network, logit_gain, mean, recipe.steps, recipe.learning_rate,
        focus=lambda share: spectrum.focus(recipe.opened(share)),
    )  # fmt: skip
    reached = ascent(starts, goals, matrices, on_step)
    with torch.no_grad():
        return as_levels(spectrum.pixels(reached))


@torch.no_grad()
def _best_start(network: nn.Module, spectrum: Spectrum, recipe: Recipe, label: int, key: int) -> torch.Tensor:
    """Of some random starts the one that the network takes most for the class, shape (1, ...).

    Stronger ones where the network tells none of them from another: there the logit is cut off.
    """
    noise = spectrum.noise([key + number for number in range(STARTS)])
    for strength in STRENGTHS:
        starts = spectrum.drawn(noise, strength * recipe.start_deviation)
        logits = network(spectrum.pixels(starts))[:, label]
        if logits.max() > logits.min():
            break
    best = int(logits.argmax())
    return starts[best : best + 1]
