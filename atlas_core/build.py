"""The method on one screen: which chunks make an atlas, in the order in which they should run.

A chunk is short, idempotent and done when its record exists; its key says what it does, with which parameters, from
which other chunks. `atlas_core.stages` holds what each one does.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atlas_core.errors import SpecError, UnsupportedOperatorError
from atlas_core.featurevis.recipes import recipe_named
from atlas_core.mapping import PREVIEW, Mapping, runs, stages_of_levels
from atlas_core.plan import Chunk, Plan
from atlas_core.spec import AtlasSpec, job_id, resolve_levels

if TYPE_CHECKING:
    from atlas_core.facts import AnchorFacts, DatasetFacts, ModelFacts

SHARD_PIXELS = 4_000_000
SHARD_IMAGES = 1_000
SHARD_SAMPLES = 2_000
"""Samples of a layer in one shard: what a collecting process keeps besides its batch does not grow with the job."""
LEAST_SHARD = 8
BESIDE_CELLS = 64
"""Cells of a layer's coarsest level that starts and real patches are measured on: a few seconds, and a mean to .02."""


@dataclass(frozen=True)
class Shard:
    """A run of the images that are sampled, in the listing's order, that one chunk collects: [start, stop)."""

    start: int
    stop: int


def resolve_spec(
    spec: AtlasSpec, model: ModelFacts, dataset: DatasetFacts, anchor: AnchorFacts | None = None
) -> AtlasSpec:
    """A request with ids for names and its levels fixed, checked against the model, the dataset and the anchor.

    Raises:
        UnknownLayerError: The model has no such layer.
        UnsupportedOperatorError: The model has no gradients, without which nothing can be rendered or attributed.
        SpecError: A layer is too small, or a level too fine for the samples.
    """
    _check_gradients(spec, model)
    if spec.strict and spec.rendered and recipe_named(spec.recipe).seeded:
        raise SpecError(f"icons of the recipe {spec.recipe!r} start from pictures of the dataset, of which privacy "
                        "`strict` keeps none; ask for `pure`, or for `none`", pointer="/recipe")  # fmt: skip
    for name in spec.layers:
        _, height, width = model.layer(name).shape
        interior = max(height - 2, 0) * max(width - 2, 0)
        if interior < 1:
            raise SpecError(f"the layer {name!r} has {height} x {width} positions, none inside its border; take an "
                            "earlier layer", pointer="/layers")  # fmt: skip
    if anchor is not None:
        _check_anchor(spec, model, dataset, anchor)
    available = min(samples_of(spec, model, dataset, name) for name in spec.layers)
    levels = resolve_levels(spec.levels, available, allow_sparse=spec.allow_sparse)
    return spec.model_copy(
        update={"model": model.id, "dataset": dataset.id, "levels": levels, "attribution": _attribution(spec, model),
                "preview": _preview(spec), "anchor": None if anchor is None else anchor.id}
    )  # fmt: skip


def _preview(spec: AtlasSpec) -> str:
    """The previews that there can be: none of what is fast itself or has no icons, nor where no data may be seen."""
    previewed = spec.rendered and spec.recipe != PREVIEW and recipe_named(spec.recipe).seeded and not spec.strict
    return spec.preview if previewed else "none"


def _attribution(spec: AtlasSpec, model: ModelFacts) -> str:
    """The attribution that can be made; `auto` leaves out what has no logits to speak of."""
    reasons = [found for name in spec.layers if (found := model.unattributed(name))]
    if spec.attribution in ("ablation", "jvp") and reasons:
        raise SpecError(f"attribution `{spec.attribution}` cannot be made: {reasons[0]}; ask for `auto`, which leaves "
                        "it out there, or for `none`", pointer="/attribution")  # fmt: skip
    return "none" if len(reasons) == len(spec.layers) else spec.attribution


def _check_gradients(spec: AtlasSpec, model: ModelFacts) -> None:
    reasons = "; ".join(model.unconvertible)
    if reasons and spec.rendered:
        raise UnsupportedOperatorError(
            f"icons of the model {model.card.name!r} cannot be rendered: {reasons}; ask for the recipe `none`: a map "
            "with real patches and without icons, on which new images can be placed",
            pointer="/recipe",
        )
    if reasons and spec.attribution not in ("auto", "none"):
        raise UnsupportedOperatorError(
            f"attributions of the model {model.card.name!r} cannot be computed: {reasons}; ask for the attribution "
            "`none`",
            pointer="/attribution",
        )


def _check_anchor(spec: AtlasSpec, model: ModelFacts, dataset: DatasetFacts, anchor: AnchorFacts) -> None:
    for name in spec.layers:
        channels = model.layer(name).shape[0]
        if name not in anchor.layers:
            raise SpecError(f"the anchor {anchor.id} has no layer {name!r}; it has {', '.join(anchor.layers)}",
                            pointer="/layers")  # fmt: skip
        if anchor.layers[name].channels != channels:
            raise SpecError(f"the layer {name!r} has {channels} channels, in the anchor {anchor.id} it has "
                            f"{anchor.layers[name].channels}", pointer="/anchor")  # fmt: skip
    if model.id != anchor.model and (dataset.digest, spec.seed) != (anchor.dataset, anchor.seed):
        raise SpecError(
            f"the anchor {anchor.id} is of another model, so only samples of the same images and points tie the two "
            f"maps: ask for its dataset and its seed {anchor.seed}",
            pointer="/anchor",
        )
    if spec.layout.optimiser != "batch":
        raise SpecError("only the optimiser `batch` lays samples out against an anchor", pointer="/layout/optimiser")


def shards(images: int, samples: int, model: ModelFacts) -> list[Shard]:
    """Cut a listing into runs of about the same work, bounded in images, pixels and samples."""
    pixels = model.card.input.height * model.card.input.width
    size = max(LEAST_SHARD, min(SHARD_IMAGES, SHARD_PIXELS // pixels, SHARD_SAMPLES * images // samples))
    count = -(-images // size)
    return [Shard(start, stop) for start, stop in runs(images, count)]


def collecting(spec: AtlasSpec, model: ModelFacts, dataset: DatasetFacts) -> list[Chunk]:
    """The chunks that collect a dataset, whatever is then made of it: one for each shard.

    Args:
        spec: A request, resolved.
        model: The model.
        dataset: The dataset.
    """
    source: dict[str, Any] = {"model": model.id, "dataset": dataset.digest, "samples": spec.samples, "seed": spec.seed}
    limits = {name: value for name, value in spec.caps._asdict().items() if value is not None}
    limits |= {"privacy": spec.privacy} if spec.strict else {}
    parts = shards(dataset.sampled(spec), spec.samples, model)
    return [Chunk.of("collect", {"layers": spec.layers, "start": part.start, "stop": part.stop, **source, **limits})
            for part in parts]  # fmt: skip


def samples_of(spec: AtlasSpec, model: ModelFacts, dataset: DatasetFacts, layer: str) -> int:
    """The most samples that a layer can have."""
    from atlas_core.sampling import capacity  # loads numpy, which the command line's help does without

    return min(spec.samples, dataset.sampled(spec) * capacity(model.layer(layer)))


def _copying(images: int, shards: int, model: ModelFacts) -> int:
    """Chunks that pass spoiled copies of so many images through the network, of about a shard's work each."""
    from atlas_core.pooling import COPIES, LEAST_IMAGES  # loads numpy, which the command line's help does without

    pixels = model.card.input.height * model.card.input.width
    return 0 if images < LEAST_IMAGES else min(shards, -(-COPIES * pixels // SHARD_PIXELS))


def plan(spec: AtlasSpec, model: ModelFacts, dataset: DatasetFacts, anchor: AnchorFacts | None = None) -> Plan:
    """Plan an atlas.

    Args:
        spec: A request, as asked or resolved.
        model: The model, inspected.
        dataset: The dataset, listed.
        anchor: The published atlas that the request names as its anchor.

    Raises:
        UnknownLayerError: The model has no such layer.
        SpecError: The atlas cannot be made as asked.
    """
    spec = resolve_spec(spec, model, dataset, anchor)
    # Run the network over the images; keep a few interior positions of each, with where they came from.
    chunks = Mapping(spec, model, dataset.digest, anchor)
    chunks += collecting(spec, model, dataset)
    collected = [chunk.key for chunk in chunks]

    stages = list(stages_of_levels(spec))
    for layer in spec.layers:
        # Lay the activations out in the plane so that similar ones lie together; a layer starts from the one before,
        # or is laid out against the anchor's points. Then average them in the cells of every level, and show at once
        # what the coarsest looks like.
        chunks.lay_out(layer, collected, samples_of(spec, model, dataset, layer))
        chunks.average(layer, collected)
        chunks.tiles(*stages[0], layer)

    for layer in spec.layers:
        # What each sample adds to each class, and on average in every cell; not before the cells are there, because a
        # worker at a long chunk, and those that wait in its queue, would keep pictures waiting.
        chunks.tell(layer, chunks.attribute(layer, collected, [chunks.cells[layer]]))
        # What new images are placed by; samples in the order of the map, for whoever asks what lies in a part; and
        # how right the model is in every cell, where there are labels.
        chunks.tabulate(layer, collected)

    # Render for each cell the picture that excites the layer in the cell's direction, coarse levels first.
    for (stage, side), layer in itertools.product(stages, spec.layers):
        chunks.draw(stage, side, layer)

    # Which classes are taken for each other, and what tells whether an image is new, whichever layers are mapped.
    # Nothing that is seen waits for it: copies of images pass through the network again.
    told = list(chunks.classes.values())
    confusions = [] if model.classes is None else [chunks.add("publish", collected, told, step="confusions")]
    copied = _copying(dataset.sampled(spec), len(collected), model)
    copies = [chunks.add("publish", collected[start:stop], told, step="copies")
              for start, stop in runs(len(collected), copied)]  # fmt: skip
    novelty = chunks.add("publish", [*collected, *copies], step="novelty")
    atlas = job_id(spec)
    chunks.add("publish", [*chunks.published, *confusions, novelty], step="manifest", atlas=atlas)
    return Plan(id=atlas, spec=spec, model=model, dataset=dataset, chunks=tuple(chunks), anchor=anchor)
