"""What a request to compare two versions of a model says, or two layers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from atlas_core.cards import Card
from atlas_core.spec import AtlasSpec

Name = Annotated[str, Field(min_length=1, max_length=200)]
Layers = Annotated[list[Annotated[str, Field(min_length=1, max_length=300)]], Field(min_length=1, max_length=16)]
SAMPLED = ("model", "dataset", "samples", "seed", "images", "images_per_class", "privacy")
"""What says of which samples, where no atlas does."""

DEFAULT_SAMPLES = 20_000


class VersionsRequest(Card):
    """Two models on the same samples, or two layers of one: how alike they see them, and what changed.

    The old model is that of an `atlas`, with its samples; or a `model` on a `dataset`. The new one is `other`, by
    default the same. `other_layers` are the new model's that stand beside `layers`, by default of the same names.
    `weight` is of the edge that ties a sample to its twin on the coupled map: 1 is that of its nearest neighbour, more
    keeps twins nearer together whatever the models say. `side` is of the map's cells. A change is told where its p,
    adjusted for the number of things looked at, is at most `alpha`.
    """

    kind: Literal["models"] = "models"
    atlas: Name | None = None
    model: Name | None = None
    dataset: Name | None = None
    samples: int | None = Field(default=None, ge=100, le=1_000_000)
    seed: int | None = Field(default=None, ge=0, le=2**63 - 1)
    images: int | None = Field(default=None, ge=1)
    images_per_class: int | None = Field(default=None, ge=1)
    privacy: Literal["standard", "strict"] | None = None
    other: Name | None = None
    layers: Layers | None = None
    other_layers: Layers | None = None
    weight: float = Field(default=1.0, ge=0.01, le=100)
    side: int | None = Field(default=None, ge=2, le=160)
    alpha: float = Field(default=0.05, ge=0.0001, le=0.5)

    @model_validator(mode="after")
    def _one_old_model(self) -> VersionsRequest:
        if self.atlas is None:
            lacking = [name for name in ("model", "dataset", "layers") if getattr(self, name) is None]
            if lacking:
                raise ValueError(f"name an atlas, or a model, a dataset and layers; {', '.join(lacking)} is missing")
        else:
            too_many = [name for name in SAMPLED if getattr(self, name) is not None]
            if too_many:
                raise ValueError(f"the atlas says of which samples; leave out {', '.join(too_many)}, or the atlas")
        if self.other is None and self.other_layers is None:
            raise ValueError("name the `other` model, or the `other_layers` of the same")
        if self.other_layers is not None and len(self.other_layers) != len(self.layers or self.other_layers):
            raise ValueError("`other_layers` stand beside `layers`: as many of both")
        return self

    @property
    def sampled(self) -> AtlasSpec:
        """The spec of the old model's atlas, where none is named: a map without icons or classes."""
        told: dict[str, Any] = {name: getattr(self, name) for name in SAMPLED if getattr(self, name) is not None}
        return AtlasSpec(layers=list(dict.fromkeys(self.layers or [])), recipe="none", attribution="none",
                         **{"samples": DEFAULT_SAMPLES, **told})  # fmt: skip
