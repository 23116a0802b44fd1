"""How much a plan's chunks have to do, in a unit that makes them comparable.

The constants here and beside it come from 20,000 samples of two layers of SqueezeNet at 227 px and of one of ResNet-20
at 32 px on a core of a 2-core x86-64 machine. What another deployment needs is told by its own rates (`rates`):
measured over these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from atlas_core.featurevis.recipes import THUMBNAIL_SIDE, canvas_size, recipe_named
from atlas_core.pooling import Watch, depths
from atlas_core.sampling import capacity

if TYPE_CHECKING:
    from atlas_core.plan import Chunk, Plan

VALUE_SECONDS = 2.4e-7
"""Of a forward pass for each value of its input, where the model was not measured; equal for both networks."""
BUSY = 1.5
"""Of a pass among other processes on all cores over that of an inspection, which runs alone."""
SHARE = 0.5
DECODE_SECONDS = 4e-8
"""For each pixel of the network's input: decoding runs beside the network."""
COLLECT_SECONDS = 0.1
EXACT_SAMPLES = 60_000
SEARCHED = 0.3
"""Of all pairs, where candidates come from inverted lists: .15 are compared, and each costs more."""
PAIR_SECONDS, PAIR_CHANNEL_SECONDS = 1.8e-9, 1.8e-11
EDGE_SECONDS = 8.5e-8
PUBLISH_SECONDS, PUBLISH_TILE_SECONDS = 0.02, 0.002

CELL_BYTES, CELL_JSON_BYTES, CLASSES_JSON_BYTES, ICON_JSON_BYTES = 290, 540, 390, 1090


@dataclass(frozen=True)
class ModelCost:
    """What a model's forward pass takes, as its inspection measured it.

    Attributes:
        forward_seconds: Of an image, None where it was not measured.
        shares: Share of the pass that is over at each layer.
        closed: Layers whose attribution has a closed form.
    """

    forward_seconds: float | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    closed: tuple[str, ...] = ()

    @classmethod
    def of(cls, value: Mapping[str, Any] | None) -> ModelCost:
        """From a model's document; what it does not say is not known."""
        value = value or {}
        return cls(value.get("forward_seconds"), value.get("shares") or {}, tuple(value.get("closed") or ()))


@dataclass(frozen=True)
class Cost:
    """Seconds of one process, and bytes written to the store."""

    seconds: float
    bytes: float


class Quantities:
    """How much a plan's chunks have to do.

    Args:
        plan: The plan.
        model: What its model's forward pass takes.

    Attributes:
        plan: The plan.
        model: What its model's forward pass takes.
        pixels: Of the network's input.
        forward: Seconds of a forward pass.
        thumbnail: Bytes of one; none are kept where privacy is strict.
        classes: Of the logits, 0 without.
    """

    def __init__(self, plan: Plan, model: ModelCost) -> None:
        """Nothing is computed yet."""
        self.plan = plan
        self.model = model
        card = plan.model.card.input
        self.pixels = card.height * card.width
        measured = model.forward_seconds
        self.forward = VALUE_SECONDS * self.pixels * card.channels if measured is None else BUSY * measured
        self.thumbnail = 0 if plan.spec.strict else THUMBNAIL_SIDE**2 * card.channels
        self.classes = plan.model.classes or 0

    @cached_property
    def images(self) -> int:
        """Of the atlas, not of a dataset that is compared with it."""
        others = {key for other in self.plan.others for key in other.keys} - self.plan.grounded
        return sum(self.images_of(chunk) for chunk in self.plan.find("collect") if chunk.key not in others)

    def images_of(self, chunk: Chunk) -> int:
        """Images that a chunk goes through."""
        if chunk.parameters.get("step") == "select":
            request = self.plan.request or {}
            return int(-(-request.get("images", 0) // max(1, len(self.plan.find("collect", step="select")))))
        return int(chunk.parameters["stop"] - chunk.parameters["start"])

    def samples(self, images: int, layer: str) -> float:
        """Samples that so many images give of a layer."""
        places, request = capacity(self.plan.model.layer(layer)), self.plan.request or {}
        samples = request["samples"] if self.plan.apart else self.plan.spec.samples
        return min(images * places, samples * images / max(1, self.images))

    def share(self, layer: str) -> float:
        """Share of a forward pass that is over at a layer."""
        return min(1.0, max(0.0, self.model.shares.get(layer, SHARE)))

    def channels(self, layer: str) -> int:
        """Of a layer."""
        return self.plan.model.layer(layer).shape[0]

    def of_layer(self, chunk: Chunk) -> tuple[float, int]:
        """Samples and channels of a chunk's layer."""
        layer = chunk.parameters["layer"]
        return self.samples(self.images, layer), self.channels(layer)

    def laid_out(self, chunk: Chunk) -> tuple[float, int]:
        """Samples of a chunk's layer that are laid out themselves, and channels."""
        samples, channels = self.of_layer(chunk)
        return min(samples, self.plan.spec.layout.landmarks), channels

    @cached_property
    def watch(self) -> Watch:
        """What is kept of images for novelty."""
        return Watch(tuple(depths(self.plan.model.layers)), self.images)

    @cached_property
    def pooled(self) -> int:
        """Values that an image leaves for novelty."""
        channels = [self.channels(name) for name in self.watch.at]
        return 2 * sum(channels) + channels[-1] + channels[max(0, len(channels) - 2)]

    def canvas(self, layer: str, recipe: str) -> int:
        """Pixels a side that an icon of a layer is rendered at."""
        plan = self.plan
        return canvas_size(recipe_named(recipe), plan.model.layer(layer), plan.model.card.input)


def pairs(samples: float, others: float) -> float:
    """Pairs that a search compares, in those of a full one."""
    return samples * others * (1.0 if others <= EXACT_SAMPLES else SEARCHED)


def pair_seconds(channels: int) -> float:
    """What comparing two samples of so many channels takes."""
    return PAIR_SECONDS + PAIR_CHANNEL_SECONDS * channels


def cells_in(levels: Sequence[int]) -> float:
    """Cells that layouts fill of some levels, by their sides."""
    return sum(filled(side) * side**2 for side in levels)


def filled(side: int) -> float:
    """Share of a level's cells that layouts fill: about .6, and nearly all of a very coarse level."""
    return float(0.6 + 0.4 * 2 ** (-side / 4))


Works = dict[str, Callable[[Quantities, "Chunk"], Cost]]
"""What chunks cost, by their step, or their stage where they have none."""
