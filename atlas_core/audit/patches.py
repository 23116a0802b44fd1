"""The patch test as a job: what can be asked, checked against the atlas, and cut into chunks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from atlas_core.audit.base import NAME, base_chunks
from atlas_core.cards import Card
from atlas_core.errors import InputError, NotFoundError, SpecError
from atlas_core.icons import Cell, Image, Label
from atlas_core.keys import digest
from atlas_core.plan import Chunk, Other, Plan

if TYPE_CHECKING:
    from atlas_core.facts import DatasetFacts

    Cells = Sequence[dict[str, Any]]

PATCHES_VERSION = 3
"""Raised whenever the same request would give another answer."""
MOST_PATCHES = 50
RIVALS_A_PART = 10
Layer = Annotated[str, Field(min_length=1, max_length=300)]


class OfCells(Card):
    """Of each of these cells the exemplars nearest to its mean, as crops or, with `icons`, the cell's icon."""

    kind: Literal["cells"]
    layer: Layer | None = None
    z: int = Field(default=0, ge=0, le=63)
    cells: list[Cell] = Field(min_length=1, max_length=MOST_PATCHES)
    icons: bool = False
    each: int = Field(default=1, ge=1, le=8)


class OfImages(Card):
    """Pictures that were PUT to /v1/blobs, each scaled to fit a patch."""

    kind: Literal["images"]
    images: list[Image] = Field(min_length=1, max_length=MOST_PATCHES)


class Searched(Card):
    """Patches that the test finds by itself: of the cells that add most to the target and least to the base class.

    Of each of `count` cells the exemplar nearest to its mean that is no picture of the target, where there is one.
    """

    kind: Literal["search"]
    layer: Layer | None = None
    z: int = Field(default=0, ge=0, le=63)
    count: int = Field(default=10, ge=1, le=MOST_PATCHES)


class PatchRequest(Card):
    """Patches to paste on images of a class, to see whether they turn into another.

    `base` left out is every class but the target. `sizes` are sides of patches, as shares of the shorter side of the
    model's input. Every patch is pasted in each corner: `fixed` counts what happens at the top left, `corners` the best
    of the four, and with `random` one more paste at a random place. `images` are base images at most: those that the
    model recognises, held out of the atlas where it left any out, or those of `dataset`. `rivals` are whole pictures
    of the atlas, each pasted at the top left of every base image, that a patch's gain is ranked among.
    """

    target: Label
    base: Label | None = None
    patches: Annotated[OfCells | OfImages | Searched, Field(discriminator="kind")] = Searched(kind="search")
    sizes: list[Annotated[float, Field(ge=0.05, le=0.9)]] = Field(default=[0.25, 0.4], min_length=1, max_length=5)
    random: bool = False
    images: int = Field(default=200, ge=10, le=600)
    rivals: int = Field(default=0, ge=0, le=200)
    dataset: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    seed: int = Field(default=0, ge=0, le=2**63 - 1)

    @model_validator(mode="after")
    def _two_classes(self) -> PatchRequest:
        if self.base == self.target:
            raise ValueError("the base class and the target are one; nothing could flip")
        return self


def resolve(
    request: PatchRequest, atlas: Plan, dataset: DatasetFacts | None, cells_of: Callable[[str, int], Cells]
) -> PatchRequest:
    """A request with everything filled in that it leaves out, checked against the atlas; classes become indices.

    Args:
        request: As asked.
        atlas: The atlas's plan.
        dataset: That the base images are of, None for the atlas's own.
        cells_of: Gives the cells of a layer at a level of so many cells a side; raises where they are not made yet.

    Raises:
        UnknownLayerError: The atlas has no such layer.
        NotFoundError: There is no such class, level or cell.
        SpecError: Privacy or the model does not allow it, or the base images have no labels.
    """
    dataset = _apart(atlas, dataset)
    _check_kept(atlas, dataset)
    target = _class(atlas, request.target, "/target")
    base = None if request.base is None else _class(atlas, request.base, "/base")
    if base == target:
        raise InputError("the base class and the target are one; nothing could flip", pointer="/base")
    filled = {"target": target, "base": base, "dataset": None if dataset is None else dataset.id,
              "patches": _patches(request.patches, atlas, cells_of)}  # fmt: skip
    return request.model_copy(update=filled)


def _apart(atlas: Plan, dataset: DatasetFacts | None) -> DatasetFacts | None:
    """A dataset other than the atlas's own: of that one images that the atlas is made of are no base images."""
    return None if dataset is None or dataset.digest == atlas.dataset.digest else dataset


def _check_kept(atlas: Plan, dataset: DatasetFacts | None) -> None:
    if atlas.spec.strict:
        raise SpecError("this atlas was made with privacy `strict`, which keeps no picture: none can be pasted; make "
                        "an atlas with privacy `standard` for that")  # fmt: skip
    if not (dataset or atlas.dataset).class_counts:
        raise SpecError(f"the dataset {(dataset or atlas.dataset).name!r} has no labels, so nobody knows which images "
                        "the model recognises; name a labelled `dataset`", pointer="/dataset")  # fmt: skip


def _class(atlas: Plan, label: int | str, pointer: str) -> int:
    classes, card = atlas.model.classes, atlas.model.card
    if classes is None:
        raise InputError(f"the model {card.name!r} has no logits, so no paste can change its class", pointer=pointer)
    names = card.class_names or list(atlas.dataset.classes or ())
    index = label if isinstance(label, int) else names.index(label) if label in names else None
    if index is None or index >= classes:
        raise NotFoundError(f"the model {card.name!r} has no class {label!r}; it has 0 to {classes - 1}, or their "
                            "names", pointer=pointer)  # fmt: skip
    return index


def _patches(
    patches: OfCells | OfImages | Searched, atlas: Plan, cells_of: Callable[[str, int], Cells]
) -> OfCells | OfImages | Searched:
    if isinstance(patches, OfImages):
        return patches
    layer = patches.layer or atlas.spec.layers[0]
    atlas.check_layer(layer, "/patches/layer")
    levels = atlas.spec.levels or []
    if patches.z >= len(levels):
        raise NotFoundError(f"the atlas has no level {patches.z}; it has 0 to {len(levels) - 1}, coarse to fine",
                            pointer="/patches/z")  # fmt: skip
    if isinstance(patches, Searched):
        if (reason := atlas.unattributed(layer)) is not None:
            raise InputError(f"no patch can be searched for at {layer!r}: {reason}", pointer="/patches")
        return patches.model_copy(update={"layer": layer})
    if patches.icons and not atlas.spec.rendered:
        raise InputError(
            "this atlas was made with the recipe `none` and has no icons to paste", pointer="/patches/icons"
        )
    filled = {(cell["column"], cell["row"]) for cell in cells_of(layer, levels[patches.z])}
    for number, cell in enumerate(patches.cells):
        if (cell.column, cell.row) not in filled:
            raise NotFoundError(f"cell {cell.column}-{cell.row} of {layer!r} at {levels[patches.z]} cells a side is "
                                "empty or outside", pointer=f"/patches/cells/{number}")  # fmt: skip
    return patches.model_copy(update={"layer": layer})


def patches_id(atlas: str, request: PatchRequest) -> str:
    """Id of the job that makes this test; the request is resolved, so the same one is one job."""
    return digest(["patches", PATCHES_VERSION, atlas, request.model_dump(mode="json")])[:24]


def count_of(patches: OfCells | OfImages | Searched) -> int:
    """Patches at most."""
    match patches:
        case OfCells(cells=cells, icons=icons, each=each):
            return len(cells) * (1 if icons else each)
        case OfImages(images=images):
            return len(images)
    return patches.count


def plan_patches(atlas: Plan, request: PatchRequest, dataset: DatasetFacts | None) -> Plan:
    """Plan a patch test: the chunks of the atlas that it needs, done as a rule, and its own.

    Args:
        atlas: The atlas's plan.
        request: From `resolve`.
        dataset: That the base images are of, None for the atlas's own.
    """
    dataset = _apart(atlas, dataset)
    looking = base_chunks(atlas, dataset or atlas.dataset, request.seed)
    ground = atlas.needed(_made(atlas, request))
    content = request.model_dump(mode="json")
    common: dict[str, Any] = {"request": content, "base": [chunk.key for chunk in looking], "model": atlas.model.id,
                              "version": PATCHES_VERSION}  # fmt: skip
    stands_on = [*_made(atlas, request), *(chunk.key for chunk in looking)]
    of = [("patch", number) for number in range(count_of(request.patches))] + [("controls", 0)]
    of += [("rivals", first) for first in range(0, request.rivals, RIVALS_A_PART)]
    parts = [Chunk.of("publish", {"step": "pasted", "of": kind, "n": number, **common}, stands_on)
             for kind, number in of]  # fmt: skip
    last = Chunk.of("publish", {"step": "patches", **common}, [*stands_on, *(part.key for part in parts)])
    known = {chunk.key for chunk in ground}
    own = [chunk for chunk in (*looking, *parts, last) if chunk.key not in known]
    spec = None if dataset is None else atlas.spec.model_copy(update={"dataset": dataset.id, "images": None,
                                                                      "images_per_class": None})  # fmt: skip
    others = () if dataset is None or spec is None else (
        Other(name=NAME, spec=spec, model=atlas.model, dataset=dataset, keys=[chunk.key for chunk in looking]),
    )  # fmt: skip
    return Plan(id=patches_id(atlas.id, request), kind="patches", spec=atlas.spec, model=atlas.model,
                dataset=atlas.dataset, chunks=(*ground, *own), anchor=atlas.anchor, atlas=atlas.id, request=content,
                ground=len(ground), others=others)  # fmt: skip


def _made(atlas: Plan, request: PatchRequest) -> list[str]:
    """Keys of the atlas's chunks that a test stands on."""
    keys = [chunk.key for chunk in atlas.find("collect")]
    patches = request.patches
    if isinstance(patches, OfImages):
        return keys
    layer = str(patches.layer)
    keys += [atlas.layout_of(layer).key, atlas.cells_of(layer).key]
    if isinstance(patches, Searched):
        keys.append(atlas.classes_of(layer).key)
    elif patches.icons:
        side = (atlas.spec.levels or [])[patches.z]
        keys += [chunk.key for chunk in atlas.tiles(layer, side)]
    return keys
