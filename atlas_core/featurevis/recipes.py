"""Recipes: the named, versioned sets of options by which icons are rendered. Free of torch.

A recipe's `version` is part of every icon's key: raise it with any change of an option or of the renderer that
changes pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from atlas_core.errors import SpecError

if TYPE_CHECKING:
    from atlas_core.cards import InputCard, LayerInfo

SMALLEST_CANVAS = 32
ROOMY_CANVAS = 80
LARGEST_SHRINKAGE = 2**0.5
THUMBNAIL_SIDE = 20
THUMBNAIL_SHARE = 0.75
WIDE_STRIDE = 16
WIDEST_CENTRE = 0.4


@dataclass(frozen=True)
class Recipe:
    """How an icon is made.

    Attributes:
        name: What users ask for.
        version: Raised whenever the same cell would give another picture.
        steps: Optimisation steps, at least 0; a deep layer takes more, see `at_layer`.
        learning_rate: Adam's, at the first step; it falls linearly to 0.
        canvas_share: Side of the canvas as a share of the layer's receptive field; a deep layer's is smaller.
        start_size: Side to which the mean thumbnail is averaged down before the start, in thumbnail pixels; 0 starts
            from noise and uses no picture of the user's.
        start_deviation: Standard deviation of the start around its mean colour, in decorrelated-logit space.
        shift: Largest random shift a step, in pixels.
        rotation: Largest random rotation a step, in degrees.
        zoom: Largest random zoom a step, as a share of the size.
        colour_gain: How many times faster the mean colour moves than other frequencies would; a seeded start has its
            colour already.
        coarse: Share of the steps over which the picture is brought into focus, from coarse to fine; 0 for none.
    """

    name: str
    version: int
    steps: int
    learning_rate: float
    canvas_share: float
    start_size: int
    start_deviation: float
    shift: float
    rotation: float = 0.0
    zoom: float = 0.0
    colour_gain: float = 1.0
    coarse: float = 0.0

    @property
    def seeded(self) -> bool:
        """Whether icons are seeded from data, which has to be said wherever they are shown."""
        return self.start_size > 0

    def opened(self, share: float) -> float:
        """How far pictures are in focus, 1 or more for all of them, when this share of the steps is done."""
        return share / self.coarse if self.coarse else 1.0


_MOVES = {"shift": 4.2, "rotation": 7.0, "zoom": 0.07}

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            Recipe("fast", 3, 15, 0.2, 0.6, start_size=20, start_deviation=0.8, coarse=0.2, shift=2.0),
            Recipe("detail", 3, 32, 0.13, 0.75, start_size=12, start_deviation=0.8, coarse=0.5, **_MOVES),
            Recipe("vivid", 3, 32, 0.2, 0.75, start_size=12, start_deviation=1.2, coarse=0.5, **_MOVES),
            Recipe("pure", 3, 74, 0.13, 0.6, start_size=0, start_deviation=0.5, colour_gain=3.0, coarse=0.5, **_MOVES),
        )
    }
)


def recipe_named(name: str) -> Recipe:
    """Look a recipe up.

    Raises:
        SpecError: There is none of that name.
    """
    if name not in RECIPES:
        raise SpecError(f"there is no recipe {name!r}; there are {', '.join(RECIPES)}", pointer="/recipe")
    return RECIPES[name]


def canvas_size(recipe: Recipe, layer: LayerInfo, input: InputCard) -> int:
    """Side of a recipe's canvas at a layer, in input pixels.

    The share of the receptive field, at least 32 pixels, at most the input's shorter side; what is over 80 pixels is
    shrunk, by the root of 2 at most, in favour of more steps. A layer whose receptive field is unknown gets the whole
    input, and so does one that is fixed to the input's size: such a network would see a smaller canvas in a frame,
    which halves what its icons show.
    """
    wide = _side(recipe.canvas_share, layer, input)
    if wide <= ROOMY_CANVAS or layer.receptive_field is None or layer.fixed:
        return wide
    return max(ROOMY_CANVAS, round(wide / LARGEST_SHRINKAGE))


def at_layer(recipe: Recipe, layer: LayerInfo, input: InputCard) -> Recipe:
    """A recipe as a layer needs it: what a shrunk canvas saves goes into steps, twice as many at most.

    Deep layers ask for more steps and not for more room: at the same cost they gain .06 of whitened cosine. The
    learning rate falls with the root of the steps.
    """
    shrinkage = _side(recipe.canvas_share, layer, input) / canvas_size(recipe, layer, input)
    steps = round(recipe.steps * shrinkage**2)
    return replace(recipe, steps=steps, learning_rate=recipe.learning_rate / shrinkage)


def thumbnail_window(layer: LayerInfo, input: InputCard) -> int:
    """Side of the window that a sample's thumbnail shows, in input pixels: no canvas is larger."""
    return _side(THUMBNAIL_SHARE, layer, input)


def shown_side(canvas: int, layer: LayerInfo, input: InputCard) -> int:
    """How many pixels a side of a thumbnail, about its centre, a canvas of this side shows."""
    return min(THUMBNAIL_SIDE, round(THUMBNAIL_SIDE * canvas / thumbnail_window(layer, input)))


def centre_positions(layer: LayerInfo, canvas: int) -> int:
    """How many positions a side, around the centre, an icon is made of: 3, or 1 where 3 would be too wide.

    Too wide is a stride of 16 or more, or three strides over .4 of the canvas. A layer whose stride is unknown takes
    the centre alone.
    """
    if layer.receptive_field is None:
        return 1
    stride = max(layer.receptive_field.jump)
    return 1 if stride >= WIDE_STRIDE or 3 * stride > WIDEST_CENTRE * canvas else 3


def _side(share: float, layer: LayerInfo, card: InputCard) -> int:
    limit = min(card.height, card.width)
    if layer.receptive_field is None or layer.fixed:
        return limit
    return min(limit, max(SMALLEST_CANVAS, round(share * max(layer.receptive_field.size))))
