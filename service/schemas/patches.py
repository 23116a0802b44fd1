"""Patch tests over the wire."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from atlas_core.audit.patches import PatchRequest
from service.schemas.jobs import Job

PatchVerdict = Literal["flips", "no flips", "inconclusive"]


class TestedClass(BaseModel):
    """A class of the model."""

    index: int
    name: str


class FlipShare(BaseModel):
    """Images that flipped to the target, of how many pastes, with a 95 % interval."""

    hits: int
    n: int
    share: float
    interval: tuple[float, float]


class PatchSize(BaseModel):
    """What patches of a size do: `fixed` at the top left, `corners` at the best of the four, `random` if asked for.

    `gain` is the mean change of the target's logit at the top left, `gain_rank` its rank among all classes,
    `probability` the target's mean with the patch.
    """

    size: float
    pixels: int
    fixed: FlipShare
    corners: FlipShare
    random: FlipShare | None = None
    gain: float
    gain_interval: tuple[float, float]
    gain_rank: int
    probability: dict[Literal["fixed", "corners"], float]


class Rivals(BaseModel):
    """Whole pictures pasted likewise: how many of `n` gain as much as the patch, and p = (1 + that) / (1 + n)."""

    n: int
    higher: int
    p: float


class PatchResult(BaseModel):
    """A patch, or a control's patches together, at every size; `best_size` flips most in the best corner."""

    sizes: list[PatchSize]
    best_size: int


class TestedPatch(PatchResult):
    """A patch; `source` is the cell and exemplar, the icon or the picture that it is."""

    n: int
    source: dict[str, Any]
    picture: str
    rivals: Rivals | None = None
    url: str | None = None


class PooledSize(BaseModel):
    """All patches together; intervals by drawing whole base images anew.

    The verdict goes by `judged`, an interval of `corners` so wide that those of all sizes together hold at 95 %.
    """

    size: float
    pixels: int
    fixed: FlipShare | None = None
    corners: FlipShare | None = None
    judged: tuple[float, float] | None = None
    random: FlipShare | None = None


class PatchesDescription(BaseModel):
    """A patch test. `held_out` says that the base images are none that built the atlas.

    `controls` are crops at random places of the pictures that the model takes for the target, and noise.
    """

    schema_version: int
    request: PatchRequest
    target: TestedClass
    base: TestedClass | None
    held_out: bool
    base_images: int
    control_images: int
    places: list[str]
    verdict: PatchVerdict
    reason: str
    needs: str | None
    patches: list[TestedPatch]
    pooled: list[PooledSize]
    controls: dict[Literal["crops", "noise"], PatchResult]
    rivals: int
    forward_passes: int
    digest: str


class PatchesSummary(BaseModel):
    """A patch test in short."""

    model_config = ConfigDict(extra="forbid")

    verdict: PatchVerdict
    reason: str


class PatchesJob(Job):
    """A patch test that was asked for; what it found in short once it is made."""

    summary: PatchesSummary | None = None


class Patches(PatchesJob):
    """A patch test; all that it found once it is made."""

    description: PatchesDescription | None = None
