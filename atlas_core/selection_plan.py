"""From a selection of an atlas's samples to a plan: checked, gathered, and mapped as an atlas is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from atlas_core.errors import InputError, SpecError
from atlas_core.featurevis.recipes import recipe_named
from atlas_core.keys import digest
from atlas_core.mapping import Mapping, runs, stages_of_levels
from atlas_core.plan import Other, Plan
from atlas_core.selections import (
    LEAST_IMAGES,
    OfClass,
    OfClasses,
    OfErrors,
    OfRegion,
    OfSamples,
    classes_of,
    samples_of,
    speaks,
    which,
)
from atlas_core.spec import HEALTHY_SAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.class_index import ClassIndex
    from atlas_core.search import SampleTable
    from atlas_core.selections import Chosen
    from atlas_core.spec import AtlasSpec

SIDE, COMPARED_SIDE = 8, 10
SELECTION_VERSION = 1
"""Raised whenever the same request would give another map."""
GATHERED_SHARDS = 50
"""Shards of the atlas that a chunk gathers samples from, more or less."""
POINTERS = {"class": "/label", "classes": "/classes", "samples": "/speaks_for"}
"""Where each kind of request names its classes."""
WHOLE = "atlas"
"""How the plan of a selection calls the atlas that it is of."""


class Counted(NamedTuple):
    """What a request selects: samples, their images, and the cells a side that they fill."""

    samples: int
    images: int
    side: int


def resolve(request: Chosen, atlas: Plan) -> Chosen:
    """A request with everything filled in but its side, and with indices for names, checked against the atlas.

    Raises:
        UnknownLayerError: The atlas has no such layer.
        InputError: There is no such class, cell or label, or the atlas knows nothing of classes.
        SpecError: Privacy does not allow the recipe.
    """
    layer = request.layer or atlas.spec.layers[0]
    atlas.check_layer(layer, "/layer")
    filled: dict[str, Any] = {"layer": layer, "recipe": _recipe(request, atlas)}
    if speaks(request) and (reason := atlas.unattributed(layer)) is not None:
        raise InputError(f"nothing can be selected of {layer!r} by class: {reason}", pointer="/kind")
    match request:
        case OfClass(label=label):
            filled["label"] = atlas.model.class_named(label, "/label")
        case OfClasses(classes=classes):
            filled["classes"] = tuple(atlas.model.class_named(one, f"/classes/{n}") for n, one in enumerate(classes))
            if len(set(filled["classes"])) < len(classes):
                raise InputError("a class is compared with another one; give two", pointer="/classes/1")
        case OfErrors(label=label):
            _check_errors(atlas)
            filled["label"] = None if label is None else atlas.dataset.label_named(label, "/label")
        case OfRegion():
            _check_region(request, atlas)
        case OfSamples():
            _check_region(request, atlas)
            filled |= _named(request, atlas)
    return request.model_copy(update=filled)


def _named(request: OfSamples, atlas: Plan) -> dict[str, Any]:
    """Indices for the names of classes, checked against what is known of the images."""
    if request.wrong or request.right:
        _check_errors(atlas)
    asked = (
        ("speaks_for", atlas.model.class_named),
        ("label", atlas.dataset.label_named),
        ("predicted", atlas.model.class_named),
    )
    given = ((name, getattr(request, name), numbered) for name, numbered in asked)
    found = {name: numbered(value, f"/{name}") for name, value, numbered in given if value is not None}
    return found if "speaks_for" in found else {**found, "by": "magnitude"}


def _recipe(request: Chosen, atlas: Plan) -> str:
    recipe = request.recipe or atlas.spec.recipe
    if recipe == "none":
        return recipe
    if atlas.model.unconvertible:
        raise SpecError(f"icons of the model {atlas.model.card.name!r} cannot be rendered; ask for the recipe `none`",
                        pointer="/recipe")  # fmt: skip
    if atlas.spec.strict and recipe_named(recipe).seeded:
        raise SpecError(f"icons of the recipe {recipe!r} start from pictures of the dataset, of which privacy `strict` "
                        "keeps none; ask for `pure`, or for `none`", pointer="/recipe")  # fmt: skip
    return recipe


def _check_errors(atlas: Plan) -> None:
    if atlas.dataset.classes is None:
        raise InputError(f"the images of {atlas.dataset.name!r} have no labels, so nobody knows which the network got "
                         "wrong or right", pointer="/kind")  # fmt: skip
    if atlas.model.classes is None:
        raise InputError(f"the model {atlas.model.card.name!r} has no logits, so it takes no image for anything",
                         pointer="/kind")  # fmt: skip


def _check_region(request: OfRegion | OfSamples, atlas: Plan) -> None:
    levels = atlas.spec.levels or []
    if request.cells is None:
        return
    if request.z >= len(levels):
        raise InputError(f"the atlas has no level {request.z}; it has 0 to {len(levels) - 1}, coarse to fine",
                         pointer="/z")  # fmt: skip
    side = levels[request.z]
    for n, cell in enumerate(request.cells):
        if max(cell.column, cell.row) >= side:
            raise InputError(f"cell {cell.column}-{cell.row} lies outside of a level of {side} cells a side",
                             pointer=f"/cells/{n}")  # fmt: skip


def sized(request: Chosen, atlas: Plan, table: SampleTable, index: ClassIndex | None) -> Counted:
    """How many samples of how many images a resolved request selects, and the side that these fill.

    Args:
        request: From `resolve`.
        atlas: The atlas's plan.
        table: Where the layer's samples lie.
        index: The layer's class index, where classes count.

    Raises:
        InputError: Fewer than 20 images: of a class, or in all. Says how many there are.
        SpecError: The side asked for is too fine for the samples.
        ConflictError: The atlas is of a version that kept no class index.
    """
    for label in map(int, classes_of(request)):
        own = _images(table, np.flatnonzero((table.label if atlas.dataset.classes else table.predicted) == label))
        if own < LEAST_IMAGES:
            name = atlas.model.told_class(label)["name"]
            raise InputError(
                f"the atlas has {own} images of the class {name!r}, and what is said of a class takes {LEAST_IMAGES} "
                "or more; make an atlas of a dataset with more of them",
                pointer=POINTERS[request.kind],
            )
    chosen = samples_of(request, table, index, atlas.spec.levels or [])
    images = _images(table, table.place[chosen])
    if images < LEAST_IMAGES:
        raise InputError(f"the selection has {len(chosen)} samples of {images} images, and a map takes {LEAST_IMAGES} "
                         f"images or more; {_remedy(request)}", pointer="/kind")  # fmt: skip
    return Counted(len(chosen), images, _side(request, len(chosen)))


def _images(table: SampleTable, rows: NDArray[Any]) -> int:
    return len(table.images(rows)[0])


def _remedy(request: Chosen) -> str:
    match request:
        case OfClass(by="rank"):
            return "select the class by `magnitude`"
        case OfRegion():
            return "select a larger region"
        case OfErrors(label=int()):
            return "leave `label` out, for the errors of all classes"
        case OfSamples():
            return "leave some of the conditions out, or select a larger part of the map"
    return "make an atlas of more images"


def _side(request: Chosen, samples: int) -> int:
    """Cells a side: those asked for, else the usual, or as many as the samples fill."""
    finest = max(2, int((samples / HEALTHY_SAMPLES) ** 0.5))
    if request.side is None:
        return min(COMPARED_SIDE if isinstance(request, OfClasses) else SIDE, finest)
    if request.side > finest:
        raise SpecError(f"{request.side} cells a side take {round(HEALTHY_SAMPLES * request.side**2):,} samples, this "
                        f"selection has {samples:,}; ask for at most {finest}", pointer="/side")  # fmt: skip
    return request.side


def plan_selection(atlas: Plan, request: Chosen, counted: Counted) -> Plan:
    """Plan the map of a selection, or of two classes compared: the atlas's chunks that it needs, and its own.

    The samples are gathered from the atlas's shards into records like those of shards, and mapped as these are;
    pictures are whitened as the atlas's are, so that the same activations give the same icons.

    Args:
        atlas: The atlas's plan.
        request: From `resolve`.
        counted: From `sized`.
    """
    layer, spec = str(request.layer), _spec(atlas, request, counted)
    whole, shards = atlas.cells_of(layer).key, [chunk.key for chunk in atlas.find("collect")]
    tables = [atlas.samples_of(layer).key, *([atlas.classes_of(layer).key] if speaks(request) else [])]
    ground = atlas.needed([whole, *tables, *shards])
    content = {**request.model_dump(mode="json"), **counted._asdict()}
    name = digest(["selection", SELECTION_VERSION, atlas.id, content])[:24]

    # Gather the samples; then all is as for an atlas, but that a comparison lies along what tells its classes apart.
    chunks = Mapping(spec, atlas.model, atlas.dataset.digest, whole=whole)
    gathered = [
        chunks.add("collect", [*tables, *shards[start:stop]], step="select", layer=layer, first=start,
                   levels=atlas.spec.levels, which=which(request))
        for start, stop in runs(len(shards), -(-len(shards) // GATHERED_SHARDS))
    ]  # fmt: skip
    if isinstance(request, OfClasses):
        attributed = chunks.attribute(layer, gathered)
        chunks.compare(layer, gathered, attributed, list(map(int, request.classes)))
        chunks.average(layer, gathered)
    else:
        chunks.lay_out(layer, gathered, counted.samples)
        chunks.average(layer, gathered)
        attributed = chunks.attribute(layer, gathered, [chunks.cells[layer]])
    chunks.tell(layer, attributed)
    chunks.tabulate(layer, gathered)
    for stage, side in stages_of_levels(spec):
        chunks.draw(stage, side, layer)
    chunks.add("publish", chunks.published, step="manifest", atlas=name, of=atlas.id, request=content)
    whose = Other(name=WHOLE, spec=atlas.spec, model=atlas.model, dataset=atlas.dataset,
                  keys=[chunk.key for chunk in ground])  # fmt: skip
    return Plan(id=name, kind="comparison" if isinstance(request, OfClasses) else "selection", spec=spec,
                model=atlas.model, dataset=atlas.dataset, chunks=(*ground, *chunks), anchor=atlas.anchor,
                atlas=atlas.id, request=content, ground=len(ground), others=(whose,))  # fmt: skip


def _spec(atlas: Plan, request: Chosen, counted: Counted) -> AtlasSpec:
    """The atlas's spec for a map of some of its samples."""
    layout = atlas.spec.layout
    changes = {"layers": [str(request.layer)], "levels": [counted.side], "recipe": request.recipe, "preview": "none",
               "anchor": None, "keep": "atlas"}  # fmt: skip
    # Each sample has neighbours of other images only.
    changes["layout"] = layout.model_copy(update={"neighbours": min(layout.neighbours, counted.images - 1)})
    return atlas.spec.model_copy(update=changes)
