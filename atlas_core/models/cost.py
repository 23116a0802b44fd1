"""What a model's forward pass takes, and how much of it is over at each layer: for estimates, never for results."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import fx

from atlas_core.errors import InputError
from atlas_core.models.base import Normalise

if TYPE_CHECKING:
    from atlas_core.models.base import LoadedModel

BATCH = 4
REPEATS = 3
LONG_SECONDS = 2.0
"""A pass that takes longer is not repeated."""
LATE = 0.7
"""Share of the pass after which a layer may have a head in closed form; earlier ones are not asked."""

Clock = Callable[[], float]


def measure_cost(model: LoadedModel, clock: Clock) -> dict[str, Any]:
    """Measure a model on grey pictures.

    Args:
        model: The model.
        clock: Seconds that only grow, of this process's work.

    Returns:
        `forward_seconds` of an image, to the logits or else to the deepest layer; `shares`, by layer, of the pass that
        is over there, none where the model has no gradients; `closed`, layers whose attribution has a closed form.
    """
    given = model.card.input
    pixels = np.full((BATCH, given.channels, given.height, given.width), 0.5, np.float32)
    layers = [] if model.classes is not None else [model.layers[-1].name]
    model.activations(pixels, layers, logits=True)  # the first pass also prepares
    taken: list[float] = []
    while len(taken) < REPEATS and sum(taken) < LONG_SECONDS:
        began = clock()
        model.activations(pixels, layers, logits=True)
        taken.append((clock() - began) / BATCH)
    shares = {} if model.unconvertible else layer_shares(model, clock)
    closed = [name for name, share in shares.items() if share > LATE and _is_closed(model, name)]
    return {"forward_seconds": min(taken), "shares": shares, "closed": closed}


def layer_shares(model: LoadedModel, clock: Clock) -> dict[str, float]:
    """Share of a forward pass that is over at each layer, in order of execution, from one timed pass."""
    network, given = model.network(), model.card.input
    timer = _Timer(network.module, clock)
    with torch.no_grad():
        pixels = Normalise(given)(torch.full((1, given.channels, given.height, given.width), 0.5))
        timer.run(pixels)  # the first pass also prepares
        timer.ended.clear()
        began = clock()
        timer.run(pixels)
    whole = max(clock() - began, 1e-9)
    return {
        name: round(min(1.0, (timer.ended[node] - began) / whole), 4)
        for name, node in network.places.items()
        if node in timer.ended
    }


class _Timer(fx.Interpreter):
    """Runs a network and notes when each node was done."""

    def __init__(self, module: fx.GraphModule, clock: Clock) -> None:
        super().__init__(module)
        self.ended: dict[fx.Node, float] = {}
        self._clock = clock

    def run_node(self, n: fx.Node) -> Any:
        """Run one node as usual, and note the time."""
        value = super().run_node(n)
        self.ended[n] = self._clock()
        return value


def _is_closed(model: LoadedModel, layer: str) -> bool:
    try:
        return model.linear_head(layer) is not None
    except InputError:
        return False
