"""Icons on request: render the pictures of a request, a few at a time, then describe them all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from atlas_core import directions
from atlas_core.featurevis.recipes import Recipe, canvas_size, recipe_named
from atlas_core.fidelity import measure
from atlas_core.icons import (
    Cell,
    Channels,
    Classes,
    Composition,
    Dream,
    Grid,
    IconsRequest,
    Selection,
    Sum,
    Walk,
    parse_request,
)
from atlas_core.keys import canonical_json, digest
from atlas_core.likeness import correlation
from atlas_core.marks import icon_entries
from atlas_core.project import chosen_positions
from atlas_core.pyramid import decode_tile, displayed, png
from atlas_core.sheets import compose_sheet, in_rows
from atlas_core.stages.ground import Ground, class_note
from atlas_core.stages.painting import compose, dream, raise_logits
from atlas_core.stages.served import icon_key
from atlas_core.stages.step import Output, Step, marked

if TYPE_CHECKING:
    from numpy.typing import NDArray

GAP = 4


@dataclass(frozen=True)
class Wanted:
    """Icons to render: their directions as activations, what each is, and the number its randomness comes from."""

    targets: NDArray[np.float32]  # (n, channels)
    notes: list[dict[str, Any]]
    keys: list[int]


def render_pictures(step: Step) -> Output:
    """Render some pictures of a request and measure them as served."""
    request = parse_request(step.parameters["request"])
    ground = Ground(step, request)
    match request:
        case Dream():
            pictures, notes = dream(ground, request)
        case Composition():
            pictures, notes = compose(ground, request)
        case Classes(of="logit"):
            pictures, notes = raise_logits(ground, request)
        case _:
            return _render_icons(ground, request)
    return _output(step, pictures, notes, {})


def _output(
    step: Step, pictures: Sequence[NDArray[np.uint8]], notes: list[dict[str, Any]], more: dict[str, Any]
) -> Output:
    first, visible = step.parameters["first"], step.plan.model.card.input.visible
    said = said_of(parse_request(step.parameters["request"]))
    shown = [Image.fromarray(displayed(picture, visible)) for picture in pictures]
    blobs = {f"picture-{first + n}": png(picture, said) for n, picture in enumerate(shown)}
    told = [{"n": first + n, "width": picture.shape[1], "height": picture.shape[0], **note}
            for n, (picture, note) in enumerate(zip(pictures, notes, strict=True))]  # fmt: skip
    return Output(blobs, {"pictures": told, **more})


def said_of(request: IconsRequest) -> str:
    """What is said of pictures wherever they are shown: whether any went into them."""
    if request.recipe is None:
        return "dream, starts from an image"
    return f"icons {'seeded from data' if recipe_named(request.recipe).seeded else 'pure'} (recipe {request.recipe})"


def _render_icons(ground: Ground, request: IconsRequest) -> Output:
    step = ground.step
    card, layer = step.plan.model.card, step.layer
    recipe = recipe_named(str(request.recipe))
    wanted = _wanted(ground, request, recipe)
    part = slice(step.parameters["first"], step.parameters["first"] + step.parameters["count"])
    targets, keys = wanted.targets[part], wanted.keys[part]
    nearest = _seeding(ground, request, targets)
    seeds = ground.seeds(nearest) if recipe.seeded else None
    canvas = canvas_size(recipe, layer, card.input)
    renderer = step.runtime.renderer(card, layer, recipe, canvas, ground.whitening_blob)
    batches = renderer.batches(few=True)
    icons = renderer(targets, seeds, keys, step.on_progress, batches)
    measured = measure(
        renderer.trunk, icons, targets, targets, np.arange(len(targets)), ground.whitening, canvas,
        input=card.input, layer=layer, device=renderer.device, batches=batches,
    )  # fmt: skip
    unknown = np.full(len(targets), np.nan, np.float32)
    starts = None if seeds is None else renderer.starts(seeds, keys, batches)
    measured |= {
        "retrieval_rank": unknown,  # among cells, of which a direction is none
        "start_correlation": unknown if starts is None else correlation(icons, starts),
        "exemplar_correlation": unknown,
        "exemplar_contrast": ground.level["exemplar_contrast"][nearest].mean(axis=1),
    }
    notes = [{**note, "fidelity": entry}
             for note, entry in zip(wanted.notes[part], icon_entries(measured), strict=True)]  # fmt: skip
    return _output(step, list(icons), notes, marked(batches.halved))


def _seeding(ground: Ground, request: IconsRequest, targets: NDArray[np.float32]) -> NDArray[np.int64]:
    """The cells whose starts an icon starts from, shape (n, k): a cell's own, or those nearest to a direction."""
    if isinstance(request, Selection):
        first = ground.step.parameters["first"]
        cells = (request.cells or [])[first : first + len(targets)]
        return np.array([[ground.index(cell)] for cell in cells], dtype=np.int64)
    return directions.nearest_cells(targets, ground.means, ground.whitening)


def _wanted(ground: Ground, request: IconsRequest, recipe: Recipe) -> Wanted:
    """Every icon of a request."""
    means, whitening = ground.means, ground.whitening
    match request:
        case Channels(channels=channels):
            return _sharing(
                ground,
                list(directions.of_channels(whitening, channels)),
                [{"channel": channel} for channel in channels],
            )
        case Classes(classes=classes):
            labels = [int(label) for label in classes]
            return _sharing(ground, [ground.class_direction(label) for label in labels],
                            [class_note(ground.step, label) for label in labels])  # fmt: skip
        case Sum(cells=cells):
            weights = np.array([cell.weight for cell in cells])
            target = directions.of_sum(means[[ground.index(cell) for cell in cells]], weights, whitening.mean)
            return _sharing(ground, [target], [{}])
        case Walk():
            return _walk(ground, request)
        case Selection(cells=cells):
            return _selected(ground, cells or [], recipe)
        case Grid():
            return _positions(ground, request)
    raise TypeError(f"{type(request).__name__} is rendered otherwise")


def _sharing(ground: Ground, targets: Sequence[NDArray[np.float32]], notes: list[dict[str, Any]]) -> Wanted:
    return Wanted(np.stack(targets), notes, [ground.key] * len(targets))


def _walk(ground: Ground, request: Walk) -> Wanted:
    means, start, end = ground.means, ground.index(request.start), ground.index(request.end)
    if request.along == "means":
        targets = directions.along_means(means[start], means[end], request.steps)
    else:
        places = np.stack([ground.level["column"], ground.level["row"]], axis=1)
        targets = directions.along_map(places, means, start, end, request.steps)
    return _sharing(ground, list(targets), [{"share": round(float(share), 4)}
                                            for share in np.linspace(0, 1, request.steps)])  # fmt: skip


def _selected(ground: Ground, cells: Sequence[Cell], recipe: Recipe) -> Wanted:
    """Cells with the random numbers of their own icons on the map: by the same recipe they are the same."""
    layer = ground.step.layer.name
    keys = [icon_key(layer, ground.side, cell.column, cell.row, recipe.name, recipe.version) for cell in cells]
    targets = ground.means[[ground.index(cell) for cell in cells]]
    return Wanted(targets, [{"column": cell.column, "row": cell.row} for cell in cells], keys)


def _positions(ground: Ground, request: Grid) -> Wanted:
    activations = ground.activations(request.image)
    rows, columns = chosen_positions(ground.step.layer, "default")
    targets = np.ascontiguousarray(activations[:, rows, columns].T)  # (n, channels)
    notes = [{"row": int(row), "column": int(column), "norm": float(f"{norm:.5g}")}
             for row, column, norm in zip(rows, columns, np.linalg.norm(targets, axis=1), strict=True)]  # fmt: skip
    return _sharing(ground, list(targets), notes)


def publish_icons(step: Step) -> Output:
    """Put a request's pictures on one sheet and describe them."""
    request = parse_request(step.parameters["request"])
    notes, pictures = [], []
    for record in step.inputs("render"):
        for note in record["info"]["pictures"]:
            sha256 = record["blobs"][f"picture-{note['n']}"]
            notes.append({**note, "sha256": sha256})
            pictures.append(decode_tile(step.runtime.store.get_blob(sha256))[..., :3])
    places, shares = _places(request, notes)
    marked = [bool(note["fidelity"].get("marks")) for note in notes]
    gap = 0 if isinstance(request, Grid | Selection) else GAP
    sheet = png(Image.fromarray(compose_sheet(pictures, places, shares, gap, marked)), said_of(request))
    recipe = None if request.recipe is None else recipe_named(request.recipe)
    description: dict[str, Any] = {
        "schema_version": 1,
        "request": step.parameters["request"],
        "side": (step.plan.spec.levels or [])[request.z],
        "recipe": recipe and {"name": recipe.name, "version": recipe.version},
        "seeded_from_data": recipe is None or recipe.seeded,
        "pictures": notes,
        "sheet": {"sha256": hashlib.sha256(sheet).hexdigest(), **_size(sheet)},
    }
    described = {**description, "digest": digest(description)}
    return Output({"description": canonical_json(described), "sheet": sheet}, {"digest": described["digest"]})


def _size(png: bytes) -> dict[str, int]:
    height, width = decode_tile(png).shape[:2]
    return {"width": width, "height": height}


def _places(
    request: IconsRequest, notes: Sequence[dict[str, Any]]
) -> tuple[NDArray[np.integer], NDArray[np.floating] | None]:
    """Column and row of each picture on the sheet, and its size there: as on the image, as on the map, or in rows."""
    if not isinstance(request, Grid | Selection):
        return in_rows(len(notes)), None
    rows, columns = ([note[name] for note in notes] for name in ("row", "column"))
    if isinstance(request, Grid):  # thinned positions stand side by side
        rows, columns = (np.unique(values, return_inverse=True)[1].tolist() for values in (rows, columns))
    shares = None
    if isinstance(request, Grid) and request.sized:
        norms = np.array([note["norm"] for note in notes])
        shares = np.sqrt(norms / max(float(norms.max()), 1e-9))
    return np.stack([columns, rows], axis=1), shares
