"""From an atlas of a real model and dataset to the cells that rendering is measured on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.errors import InputError
from atlas_core.featurevis.parameterization import colours_of, seed_from_thumbnails
from atlas_core.featurevis.recipes import thumbnail_window
from atlas_core.fidelity import contrast
from atlas_core.models.base import blob_digest
from atlas_core.models.preprocessing import read_pixels
from atlas_core.registry import plan_of
from atlas_core.run import build_directory
from atlas_core.runtime import Runtime
from atlas_core.sampling import centres, receptive_field
from atlas_core.store import open_store
from benchmarks.rendering.halves import SHOWN, Halves, cells_by_halves, halve, nearest_others
from benchmarks.rendering.prepared import Cells, Prepared
from benchmarks.rendering.second import SMALL_INPUT, TRAINED, Judge, judge_of, judged_cells, train_judge
from benchmarks.rendering.served import encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.cards import LayerInfo
    from atlas_core.plan import Plan
    from atlas_core.tables import Table

READ_CELLS = 40
"""Cells of the blind reading."""
READ_SIDE = 120
"""Side of a patch there, in pixels."""
COLUMNS = ("activations", "image", "row", "column", "thumbnails")


@dataclasses.dataclass(frozen=True)
class Source:
    """A finished atlas without icons, opened."""

    plan: Plan
    runtime: Runtime

    def samples(self, layer: str) -> Table:
        """All samples of a layer."""
        shards = []
        for chunk in self.plan.find("collect"):
            blobs = self.runtime.record(self.plan, chunk.key)["blobs"]
            if f"layer {layer}" in blobs:
                shards.append(self.runtime.table(blobs[f"layer {layer}"]))
        return tables.concatenate([{name: shard[name] for name in COLUMNS} for shard in shards])

    def layout(self, layer: str) -> NDArray[np.float32]:
        """Points of a layer's samples."""
        record = self.runtime.record(self.plan, self.plan.layout_of(layer).key)
        points: NDArray[np.float32] = self.runtime.table(record["blobs"]["layout"])["layout"]
        return points

    def pixels(self, image: int) -> NDArray[np.uint8]:
        """An image as the network sees it, shape (height, width, channels)."""
        dataset = self.runtime.dataset(self.plan)
        return read_pixels(dataset.read(dataset.listing.images[image]), self.plan.model.card.input)


def build(model: Path, dataset: Path, layers: list[str], samples: int, seed: int, folder: Path) -> Source:
    """An atlas without icons, of which nothing is thrown away; in a folder it is built once."""
    request = {"layers": layers, "samples": samples, "levels": [2], "seed": seed, "recipe": "none",
               "attribution": "none"}  # fmt: skip
    manifest = build_directory(model, dataset, request, folder, lambda stage, done, total: None, 1)
    store = open_store(str(folder / ".store"))
    return Source(plan_of(store, manifest["id"]), Runtime(store))


def prepare(
    model: Path, dataset: Path, layers: list[str], out: Path, folder: Path, *, samples: int, side: int, seed: int
) -> Prepared:
    """Build, average, and write `out`; into the folder the patches for the blind reading, `NAME-reading.safetensors`.

    Args:
        model: A model card.
        dataset: A dataset card.
        layers: Layers of the model.
        out: File to write.
        folder: Keeps the atlas, the second network and these patches.
        samples: Samples a layer.
        side: Cells a side.
        seed: Of sampling, layout and halves.

    Raises:
        InputError: A card or a layer is bad.
    """
    source = build(model, dataset, layers, samples, seed, folder / "atlas")
    plan = source.plan
    if plan.model.card.input.channels != 3:
        raise InputError(f"{plan.model.card.name} takes {plan.model.card.input.channels} channels; this compares "
                         "recipes for RGB")  # fmt: skip
    first_half = halve(source.runtime.dataset(plan).listing.images, seed)
    found, judges = [], {}
    reading: dict[str, Any] = {}
    for place, name in enumerate(layers):
        layer, table = plan.model.layer(name), source.samples(name)
        halves = cells_by_halves(table, source.layout(name), first_half, side)
        judge = _judge(source, layer, folder / "second")
        judges[name] = judge.name
        found.append(_cells(source, layer, table, halves, judge))
        reading |= {f"{place}/{key}": value for key, value in _reading(source, layer, table, halves, seed).items()}
    card = plan.model.card
    digest = blob_digest(card.weights or card.source)
    facts = {"model": card.name, "dataset": plan.dataset.digest, "samples": samples, "side": side, "seed": seed,
             "judges": judges}  # fmt: skip
    infos = tuple(plan.model.layer(name) for name in layers)
    prepared = Prepared(card, {digest: source.runtime.store.get_blob(digest)}, infos, tuple(found), facts)
    prepared.write(out)
    (folder / f"{out.stem}-reading.safetensors").write_bytes(tables.pack(reading))
    return prepared


def _judge(source: Source, layer: LayerInfo, folder: Path) -> Judge:
    given = source.plan.model.card.input
    if min(given.height, given.width) <= SMALL_INPUT and not (folder / TRAINED).exists():
        listing = source.runtime.dataset(source.plan).listing
        pixels = np.stack([source.pixels(image) for image in range(len(listing.images))])
        train_judge(folder, pixels, listing.labels)
    return judge_of(given, layer, folder)


def _cells(source: Source, layer: LayerInfo, table: Table, halves: Halves, judge: Judge) -> Cells:
    level, kept = halves.level, halves.kept
    thumbnails = table["thumbnails"][halves.first]
    colours = colours_of(thumbnails)
    seeds = [seed_from_thumbnails(thumbnails[chosen[chosen >= 0]], colours) for chosen in level.seeds[kept]]
    chosen = level.exemplars[kept]
    exemplars = thumbnails[np.where(chosen < 0, chosen[:, :1], chosen)]
    contrasts = [contrast(thumbnails[some[some >= 0]]).mean() for some in chosen]
    patches = np.stack(list(_patches(source, layer, table, halves.first[chosen[:, 0]], _field(source, layer))))
    means, white = judged_cells(_seen(source, layer, table, halves), judge, len(kept))
    return Cells(
        mean=level.mean[kept], seed=np.stack(seeds).astype(np.float16), exemplars=exemplars,
        exemplar_contrast=np.array(contrasts, np.float32), patches=np.frombuffer(encode(patches), np.uint8),
        patch_size=np.array([patches.shape[1]]), white_mean=halves.whitening.mean,
        white_matrix=halves.whitening.matrix, colours=colours, inverse=halves.inverse, judge_mean=means,
        judge_white_mean=white.mean, judge_white_matrix=white.matrix,
    )  # fmt: skip


def _seen(
    source: Source, layer: LayerInfo, table: Table, halves: Halves
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.int64]]]:
    """Of each image of the other half its pixels, and places and cells of its samples."""
    images = table["image"][halves.second]
    order = np.argsort(images, kind="stable")
    for some in np.split(order, np.flatnonzero(np.diff(images[order])) + 1):
        rows = halves.second[some]
        yield source.pixels(int(table["image"][rows[0]])), _places(source, layer, table, rows), halves.cell[some]


def _places(source: Source, layer: LayerInfo, table: Table, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    return centres(table["row"][rows], table["column"][rows], layer, source.plan.model.card.input)


def _patches(
    source: Source, layer: LayerInfo, table: Table, rows: NDArray[np.int64], size: int
) -> Iterator[NDArray[np.uint8]]:
    """A square window around each sample's receptive field's centre; reflected at the borders."""
    for row, place in zip(rows, _places(source, layer, table, rows), strict=True):
        yield cut(source.pixels(int(table["image"][row])), place, size)


def _field(source: Source, layer: LayerInfo) -> int:
    """Side of a layer's receptive field, at most the input's, in pixels."""
    given = source.plan.model.card.input
    return min(round(max(receptive_field(layer, given).size)), given.height, given.width)


def cut(pixels: NDArray[np.uint8], place: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """A square around a place (vertical, horizontal), shape (size, size, channels); reflected at the borders."""
    padded = np.pad(pixels, ((size, size), (size, size), (0, 0)), mode="symmetric")
    top, left = (int(start) for start in np.floor(place - size / 2 + 0.5) + size)
    return padded[top : top + size, left : left + size]


def _reading(source: Source, layer: LayerInfo, table: Table, halves: Halves, seed: int) -> Table:
    """40 cells, each with another at median distance, and nine patches of either, of images no icon was made from."""
    count = len(halves.kept)
    nearest = [nearest_others(table, halves, cell) for cell in range(count)]
    full = np.array([cell for cell in range(count) if len(nearest[cell]) == SHOWN], dtype=np.int64)
    directions = halves.whitening.directions(halves.level.mean[halves.kept])
    asked, others = questions(directions, full, seed)
    window = thumbnail_window(layer, source.plan.model.card.input)  # what an icon of vivid shows
    patches = {cell: np.stack([_resized(patch) for patch in _patches(source, layer, table, nearest[cell], window)])
               for cell in np.union1d(asked, others).tolist()}  # fmt: skip
    empty = np.empty((0, SHOWN, READ_SIDE, READ_SIDE, 3), np.uint8)
    return {
        "cell": asked, "other": others,
        "own_patches": np.stack([patches[cell] for cell in asked.tolist()]) if len(asked) else empty,
        "other_patches": np.stack([patches[cell] for cell in others.tolist()]) if len(asked) else empty,
    }  # fmt: skip


def questions(
    directions: NDArray[np.float32], full: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cells to ask about, and for each the one at the median of its distances to all others.

    Args:
        directions: Whitened unit means of all cells, shape (m, channels).
        full: Cells that have enough patches.
        seed: Of the choice.

    Returns:
        At most 40 cells, ascending, and their others, each of the same shape.
    """
    if len(full) < 3:
        return full[:0], full[:0]
    asked = np.sort(np.random.default_rng(seed).permutation(full)[:READ_CELLS])
    others = []
    for cell in asked:
        rest = full[full != cell]
        order = np.argsort(-(directions[rest] @ directions[cell]), kind="stable")
        others.append(rest[order[len(rest) // 2]])
    return asked, np.array(others, dtype=np.int64)


def _resized(patch: NDArray[np.uint8]) -> NDArray[Any]:
    from PIL import Image

    return np.asarray(Image.fromarray(patch).resize((READ_SIDE, READ_SIDE), Image.Resampling.BICUBIC))
