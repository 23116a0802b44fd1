"""From a request to compare a dataset with an atlas's own to a plan: checked, and cut into chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from atlas_core.build import collecting
from atlas_core.cards import Card
from atlas_core.errors import SpecError
from atlas_core.keys import digest
from atlas_core.plan import Chunk, Other, Plan

if TYPE_CHECKING:
    from atlas_core.facts import DatasetFacts
    from atlas_core.spec import AtlasSpec

POINTS = 4
"""Samples of each image at most that are placed on the map, of both sets alike."""
LEAST_IMAGES = 20
DRIFT_VERSION = 1
"""Raised whenever the same request would give another answer."""
SERIES = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class DriftRequest(Card):
    """A dataset to compare with an atlas's own.

    `layers` are the atlas's, all by default. `images` is how many of each set are compared at most, the first by hashed
    id. Drift is found where a layer's p, adjusted for the number of layers, is at most `alpha`; where none is found but
    a share of `detect` of the images could have been replaced unnoticed, the verdict is inconclusive. Results of the
    same `series` are listed together in time.
    """

    dataset: Annotated[str, Field(min_length=1, max_length=200)]
    layers: list[Annotated[str, Field(min_length=1, max_length=300)]] | None = Field(
        default=None, min_length=1, max_length=16
    )
    images: int = Field(default=2000, ge=LEAST_IMAGES, le=4000)
    permutations: int = Field(default=999, ge=99, le=9999)
    alpha: float = Field(default=0.05, ge=0.0001, le=0.5)
    detect: float = Field(default=0.2, gt=0, le=1)
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    series: Annotated[str, Field(pattern=SERIES)] | None = None

    @model_validator(mode="after")
    def _enough_permutations(self) -> DriftRequest:
        if self.alpha * (self.permutations + 1) < 1:
            raise ValueError(f"with {self.permutations} permutations p is never under "
                             f"{1 / (self.permutations + 1):.2g}; ask for more, or for a larger alpha")  # fmt: skip
        return self


def resolve(request: DriftRequest, atlas: Plan, dataset: DatasetFacts) -> DriftRequest:
    """A request with everything filled in that it leaves out, checked against the atlas and the dataset.

    Args:
        request: As asked.
        atlas: The atlas's plan.
        dataset: The dataset, listed.

    Raises:
        UnknownLayerError: The atlas has no such layer.
        SpecError: There are too few images.
    """
    for number, layer in enumerate(request.layers or ()):
        atlas.check_layer(layer, f"/layers/{number}")
    for facts in (atlas.dataset, dataset):
        if facts.images < LEAST_IMAGES:
            raise SpecError(f"the dataset {facts.name!r} has {facts.images} images, of which nothing can be said; a "
                            f"comparison takes {LEAST_IMAGES} or more on both sides", pointer="/dataset")  # fmt: skip
    layers = [layer for layer in atlas.spec.layers if layer in (request.layers or atlas.spec.layers)]
    return request.model_copy(update={"dataset": dataset.id, "layers": layers})


def points_of(atlas: Plan) -> int:
    """Samples of an image that are placed: as many as each of the atlas's images has, if it has few."""
    return min(POINTS, max(1, atlas.spec.samples // atlas.dataset.sampled(atlas.spec)))


def drift_id(atlas: str, request: DriftRequest) -> str:
    """Id of the job that makes this comparison; the request is resolved, so the same one is one job."""
    return digest(["drift", atlas, request.model_dump(mode="json")])[:24]


def plan_drift(atlas: Plan, request: DriftRequest, dataset: DatasetFacts) -> Plan:
    """Plan a comparison: the chunks of the atlas that it needs, done as a rule, and its own.

    The dataset is collected as for an atlas of it with these layers and this seed, so what was collected once serves
    again. The atlas's own samples are placed once for all its comparisons.

    Args:
        atlas: The atlas's plan.
        request: From `resolve`.
        dataset: The dataset, listed.
    """
    layers = request.layers or []
    shards = [chunk.key for chunk in atlas.find("collect")]
    indexes = {layer: atlas.find("publish", step="index", layer=layer)[0].key for layer in layers}
    ground = atlas.needed([*shards, *indexes.values()])
    spec, points = _collected_spec(atlas, request, dataset), points_of(atlas)
    collect = collecting(spec, atlas.model, dataset)
    mine = [chunk.key for chunk in collect]
    landings = [
        Chunk.of("publish", {"step": "landings", "layer": layer, "of": name, "images": request.images,
                             "points": points}, [indexes[layer], *keys])
        for layer in layers
        for name, keys in (("atlas", shards), ("dataset", mine))
    ]  # fmt: skip
    content = request.model_dump(mode="json")
    asked: dict[str, Any] = {name: value for name, value in content.items() if name != "series"}
    last = Chunk.of("publish", {"step": "drift", "request": asked, "version": DRIFT_VERSION},
                    [*(chunk.key for chunk in landings), *dict.fromkeys([*shards, *mine])])  # fmt: skip
    known = {chunk.key for chunk in ground}
    own = [chunk for chunk in (*collect, *landings, last) if chunk.key not in known]
    return Plan(id=drift_id(atlas.id, request), kind="drift", spec=atlas.spec, model=atlas.model, dataset=atlas.dataset,
                chunks=(*ground, *own), anchor=atlas.anchor, atlas=atlas.id, request=content, ground=len(ground),
                others=(Other(name="dataset", spec=spec, model=atlas.model, dataset=dataset, keys=mine),))  # fmt: skip


def _collected_spec(atlas: Plan, request: DriftRequest, dataset: DatasetFacts) -> AtlasSpec:
    """The atlas's spec for collecting the dataset: the first images by hashed id, with as many points each."""
    images = min(request.images, dataset.images)
    return atlas.spec.model_copy(
        update={"dataset": dataset.id, "samples": max(100, points_of(atlas) * images), "images_per_class": None,
                "images": images if images < dataset.images else None}
    )  # fmt: skip
