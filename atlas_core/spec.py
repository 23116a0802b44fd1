"""What an atlas request says, in its canonical form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from atlas_core.cards import Card, validated
from atlas_core.errors import SpecError
from atlas_core.keys import digest

if TYPE_CHECKING:
    from atlas_core.sampling import Caps

DEFAULT_LEVELS = (20, 40, 80, 160)


class LayoutOptions(Card):
    """Options of the layout; the article's own are 50 neighbours and a minimum distance of .05.

    `batch` is our optimiser, `umap` that of umap-learn, the reference: slower, and cancelled only at its end.
    Of a layer with more than `landmarks` samples only so many are laid out; the others are placed among them.
    """

    neighbours: int = Field(default=15, ge=2, le=200)
    minimum_distance: float = Field(default=0.05, ge=0, le=0.99)
    epochs: int = Field(default=200, ge=10, le=2000)
    optimiser: Literal["batch", "umap"] = "batch"
    landmarks: int = Field(default=100_000, ge=100, le=10_000_000)


class AtlasSpec(Card):
    """One atlas: model x dataset x layers, and how it is made.

    `levels` left out means the healthy ones of 20, 40, 80 and 160 cells a side. `images` and `images_per_class` bound
    how many images are sampled at all, the first by hashed id. `anchor` is a published atlas whose points stay fixed.
    `keep: samples` keeps the attribution of every sample, else dropped once the cells are published.
    `recipe: none` renders no icons: for models without gradients, and where the map is all that is wanted.
    `preview: fast` shows every tile in the recipe `fast` until it is rendered; the atlas becomes the same without.
    `privacy: strict` keeps no thumbnails, exemplars or file names, and takes the recipes `pure` and `none` only.
    """

    model: Annotated[str, Field(min_length=1, max_length=200)]
    dataset: Annotated[str, Field(min_length=1, max_length=200)]
    layers: list[Annotated[str, Field(min_length=1, max_length=300)]] = Field(min_length=1, max_length=16)
    samples: int = Field(default=50_000, ge=100, le=10_000_000)
    levels: list[Annotated[int, Field(ge=2, le=320)]] | None = Field(default=None, min_length=1, max_length=8)
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    recipe: Literal["fast", "detail", "vivid", "pure", "none"] = "vivid"
    attribution: Literal["auto", "ablation", "jvp", "none"] = "auto"
    layout: LayoutOptions = LayoutOptions()
    allow_sparse: bool = False
    images: int | None = Field(default=None, ge=1)
    images_per_class: int | None = Field(default=None, ge=1)
    anchor: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    keep: Literal["atlas", "samples"] = "atlas"
    privacy: Literal["standard", "strict"] = "standard"
    preview: Literal["fast", "none"] = "fast"

    @property
    def caps(self) -> Caps:
        """How many images are sampled at most."""
        from atlas_core.sampling import Caps  # loads numpy, which `atlas --help` does without

        return Caps(self.images, self.images_per_class)

    @property
    def rendered(self) -> bool:
        """Whether cells have icons."""
        return self.recipe != "none"

    @property
    def identity(self) -> dict[str, Any]:
        """All that an atlas depends on: everything but how it is shown while it is made, as JSON."""
        return self.model_dump(mode="json", exclude={"preview"})

    @property
    def strict(self) -> bool:
        """Whether no picture of the dataset and no file name may be kept."""
        return self.privacy == "strict"

    @model_validator(mode="before")
    @classmethod
    def _recipe_without_data(cls, value: Any) -> Any:
        """With `privacy: strict` the recipe is `pure` where none is asked for."""
        strict = isinstance(value, dict) and value.get("privacy") == "strict" and "recipe" not in value
        return {**value, "recipe": "pure"} if strict else value

    @field_validator("layers")
    @classmethod
    def _each_layer_once(cls, layers: list[str]) -> list[str]:
        if len(set(layers)) != len(layers):
            raise ValueError("a layer is named twice")
        return layers

    @field_validator("levels")
    @classmethod
    def _levels_ascend(cls, levels: list[int] | None) -> list[int] | None:
        return None if levels is None else sorted(set(levels))


def parse_spec(value: Any) -> AtlasSpec:
    """Validate a request.

    Raises:
        SpecError: A field is missing, unknown or out of range; the pointer names it.
    """
    return validated(AtlasSpec, value, SpecError)


def job_id(spec: AtlasSpec, owner: str = "") -> str:
    """Id of the job that this spec asks for: the same request twice is the same job.

    The spec's levels must be resolved (not None) and its model and dataset ids, so that the id means one atlas.
    """
    return digest(["atlas", owner, spec.identity])[:24]


HEALTHY_SAMPLES = 6.6
"""Samples a squared side that keep 12 in a mean filled cell: 12 x .55, the share of cells that a layout fills."""


def resolve_levels(levels: list[int] | None, samples: int, *, allow_sparse: bool) -> list[int]:
    """The levels of an atlas, coarse to fine.

    Args:
        levels: Sides asked for, None for the healthy ones of the default.
        samples: Samples that the layer with fewest will have.
        allow_sparse: Take levels too fine for the samples all the same.

    Raises:
        SpecError: A level is too fine for the samples; names the finest that is not.
    """
    if levels is None:
        healthy = [side for side in DEFAULT_LEVELS if HEALTHY_SAMPLES * side**2 <= samples]
        return healthy or [max(2, int((samples / HEALTHY_SAMPLES) ** 0.5))]
    for side in levels:
        if HEALTHY_SAMPLES * side**2 > samples and not allow_sparse:
            finest = int((samples / HEALTHY_SAMPLES) ** 0.5)
            raise SpecError(
                f"level {side} needs {round(HEALTHY_SAMPLES * side**2):,} samples a layer, this atlas has {samples:,}; "
                f"ask for more samples, for a level of at most {finest}, or set allow_sparse",
                pointer="/levels",
            )
    return levels
