"""Artifacts of an atlas as they stand in the store, also while later ones are still made."""

from __future__ import annotations

import copy
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from atlas_core import registry, tables
from atlas_core.advance import TERMINAL, plan_of_attempt
from atlas_core.cards import DatasetCard
from atlas_core.dataset_stores import registered
from atlas_core.datasets.dataset import Dataset, open_dataset
from atlas_core.datasets.listing import Listing
from atlas_core.errors import NotFoundError
from atlas_core.manifest import said_of_icons
from atlas_core.mapping import TILE_SIDE
from atlas_core.models.preprocessing import read_pixels
from atlas_core.plan import Chunk, Plan
from atlas_core.pyramid import decode_tile, displayed, png
from atlas_core.registry import Document
from atlas_core.sampling import seen_from
from atlas_core.store import Store
from service.errors import NotYetError

MAP = "map"
"""Kind of all jobs that make a map: atlases, selections of their samples, comparisons of two classes."""
CALLED = {MAP: "atlas", None: "job"}
RECORDS, DATASETS, CELLS, TABLES = 20_000, 4, 4, 64


@dataclass(frozen=True)
class Tile:
    """A tile as it can be seen now: its own picture, or a preview until that is there.

    Attributes:
        x: Column of the tile.
        y: Row of the tile.
        blob: Digest of its picture; None where it has no cell.
        icons: How many it has.
        icon_size: Side of each in pixels.
        recipe: By which they were made.
        preview: Whether another picture will take its place.
    """

    x: int
    y: int
    blob: str | None
    icons: int
    icon_size: int
    recipe: str
    preview: bool

    @classmethod
    def of(cls, chunk: Chunk, record: Mapping[str, Any]) -> Tile:
        """From a chunk and its record."""
        told, info = chunk.parameters, record["info"]
        return cls(told["x"], told["y"], record["blobs"].get("tile"), info["icons"], info["size"], told["recipe"],
                   chunk.stage == "preview")  # fmt: skip


class Artifacts:
    """Reads what an atlas has published so far.

    Records and blobs never change once written, so those read are kept, a bounded number of them.

    Args:
        store: Where they are.
        stores: Registered stores that datasets may lie in, URL by name.
    """

    def __init__(self, store: Store, stores: Mapping[str, str] | None = None) -> None:
        """Start with nothing read."""
        self._store = store
        self._open_store = registered(stores or {})
        self._lock = threading.Lock()
        self._records: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._cells: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()
        self._tables: OrderedDict[str, tables.Table] = OrderedDict()
        self._datasets: OrderedDict[tuple[str, str], Dataset] = OrderedDict()

    def seen_in(self, store: Store) -> Artifacts:
        """The same with the jobs of another view of the store; what was read is shared."""
        view = copy.copy(self)
        view._store = store
        return view

    def close(self) -> None:
        """Close what is open."""
        with self._lock:
            for dataset in self._datasets.values():
                dataset.close()
            self._datasets.clear()

    def job(self, name: str, kind: str | None = MAP) -> Document:
        """The document of a job that was not dropped.

        Args:
            name: Its id.
            kind: What it must be of: any that makes a map by default; None for whatever it is.

        Raises:
            NotFoundError: There is none of this id and kind.
        """
        found = self._store.get_document("jobs", name)
        if found is None or found.get("deleted") or not _is(found, kind):
            what = "are no icons" if kind == "icons" else f"is no {CALLED.get(kind, kind)}"
            raise NotFoundError(f"there {what} {name!r} here; list /v1/atlases for those there are")
        return found

    def plan(self, name: str, kind: str | None = MAP) -> Plan:
        """The plan of a job; arguments and errors of `job`."""
        job = self.job(name, kind)
        return plan_of_attempt(self._store.whole, name, job["attempt"])

    def record(self, chunk: Chunk) -> dict[str, Any] | None:
        """The record of a chunk, None while it is not done."""
        with self._lock:
            if chunk.key in self._records:
                return self._records[chunk.key]
        found = self._store.get_record(chunk.stage, chunk.key)
        if found is not None:
            with self._lock:
                keep(self._records, chunk.key, found, RECORDS)
        return found

    def manifest(self, plan: Plan) -> dict[str, Any] | None:
        """The manifest, None while it is not published."""
        record = self.record(plan.chunks[-1])
        return None if record is None else dict(json.loads(self._store.get_blob(record["blobs"]["manifest"])))

    def check_layer(self, plan: Plan, layer: str) -> None:
        """Raise NotFoundError unless the atlas has this layer."""
        if layer not in plan.spec.layers:
            raise NotFoundError(f"the atlas has no layer {layer!r}; it has {', '.join(plan.spec.layers)}")

    def side(self, plan: Plan, layer: str, z: int) -> int:
        """Cells a side of a level.

        Raises:
            NotFoundError: The atlas has no such layer or level.
        """
        levels = plan.spec.levels or []
        self.check_layer(plan, layer)
        if not 0 <= z < len(levels):
            raise NotFoundError(f"the atlas has no level {z}; it has 0 to {len(levels) - 1}, coarse to fine")
        return levels[z]

    def published(self, plan: Plan, layer: str, side: int) -> dict[str, Any] | None:
        """The record of a level that is complete, else None."""
        (chunk,) = plan.find("publish", step="level", layer=layer, side=side)
        return self.record(chunk)

    def cells_blob(self, plan: Plan, layer: str, side: int) -> str:
        """Digest of a level's cells: without their icons until the level is complete, and at first without classes.

        Raises:
            NotFoundError: They are not made yet.
        """
        done = self.published(plan, layer, side)
        if done is not None:
            return str(done["blobs"]["cells"])
        for chunk in (plan.classes_of(layer), plan.cells_of(layer)):
            record = self.record(chunk)
            if record is not None:
                return str(record["blobs"][f"cells-{side}"])
        raise self.missing(plan, f"the cells of {layer!r} are not made yet")

    def cells(self, blob: str) -> list[dict[str, Any]]:
        """The cells in a blob."""
        with self._lock:
            if blob in self._cells:
                return self._cells[blob]
        found: list[dict[str, Any]] = json.loads(self._store.get_blob(blob))
        with self._lock:
            keep(self._cells, blob, found, CELLS)
        return found

    def cell(self, plan: Plan, layer: str, side: int, column: int, row: int) -> dict[str, Any]:
        """One cell.

        Raises:
            NotFoundError: It is empty, or outside of the level.
        """
        for cell in self.cells(self.cells_blob(plan, layer, side)):
            if (cell["column"], cell["row"]) == (column, row):
                return cell
        raise NotFoundError(f"cell {column}-{row} of {layer!r} at {side} cells a side is empty or outside")

    def missing(self, plan: Plan, what: str) -> NotFoundError:
        """Why something is not there: it is being made, or the job ended before."""
        state = self.job(plan.id, None)["state"]
        if state in TERMINAL:
            return NotFoundError(f"{what} and the job is {state}; submit the {plan.kind} again to go on")
        return NotYetError(f"{what}; ask again later")

    def tile_chunks(self, plan: Plan, layer: str, side: int, x: int, y: int) -> list[Chunk]:
        """What makes a tile, in order: its preview, where there are such, and its own picture.

        Raises:
            NotFoundError: The atlas has no icons, or it is outside of the level.
        """
        if not plan.spec.rendered:
            raise NotFoundError("this atlas was made with the recipe `none` and has no icons")
        chunks = [chunk for stage in ("preview", "render")
                  for chunk in plan.find(stage, layer=layer, side=side, x=x, y=y)]  # fmt: skip
        if not chunks:
            raise NotFoundError(f"tile {x}/{y} lies outside of a level of {side} cells a side")
        return chunks

    def tile(self, plan: Plan, layer: str, side: int, x: int, y: int) -> Tile | None:
        """A tile as it can be seen now, None where there is not even a preview; raises as `tile_chunks`."""
        return self._seen(self.tile_chunks(plan, layer, side, x, y))

    def _seen(self, chunks: Sequence[Chunk]) -> Tile | None:
        records = ((chunk, self.record(chunk)) for chunk in reversed(chunks))
        return next((Tile.of(chunk, record) for chunk, record in records if record is not None), None)

    def tiles(self, plan: Plan, layer: str, side: int) -> list[Tile]:
        """The tiles of a level that can be seen now."""
        stages = [plan.tiles(layer, side, stage) for stage in ("preview", "render")]
        tiles = map(self._seen, zip(*filter(None, stages), strict=True))  # the same places in the same order
        return [tile for tile in tiles if tile is not None]

    def icon(self, plan: Plan, tile: Tile, column: int, row: int) -> bytes:
        """The icon of a cell as PNG, cut from its tile, which has a picture."""
        size = tile.icon_size
        picture = decode_tile(self._store.get_blob(str(tile.blob)))
        icon = picture[row % TILE_SIDE * size :, column % TILE_SIDE * size :][:size, :size, :3]
        return png(Image.fromarray(icon), said_of_tile(plan, tile))

    def exemplar(self, plan: Plan, layer: str, exemplar: dict[str, Any]) -> bytes:
        """The patch of a real image that an exemplar stands for, as the network sees it, as PNG.

        Args:
            plan: The atlas's.
            layer: Name of the layer.
            exemplar: Image, and row and column in the layer's grid.

        Raises:
            DatasetError: The image is gone.
        """
        seen = self._pixels(plan, exemplar["image"])
        rows, columns = seen_from(plan.model.layer(layer), exemplar["row"], exemplar["column"], *seen.shape[:2])
        return png(Image.fromarray(seen[rows, columns]))

    def seen(self, plan: Plan, image: str) -> bytes:
        """All that the network sees of an image, as PNG; raises DatasetError where it is gone."""
        return png(Image.fromarray(self._pixels(plan, image)))

    def _pixels(self, plan: Plan, image: str) -> NDArray[np.uint8]:
        card = plan.model.card.input
        return displayed(read_pixels(self._dataset(plan).read(image), card), card.visible)

    def table(self, blob: str) -> tables.Table:
        """A table, mapped into memory: what is looked at is read, and no more."""
        with self._lock:
            if blob in self._tables:
                self._tables.move_to_end(blob)
                return self._tables[blob]
        with self._store.open_blob(blob) as file:
            found = tables.open_table(file)
        with self._lock:
            keep(self._tables, blob, found, TABLES)
        return found

    def images(self, plan: Plan) -> Sequence[str]:
        """Ids of the images of an atlas's dataset, by their place in the listing."""
        return self._dataset(plan).listing.images

    def _dataset(self, plan: Plan) -> Dataset:
        card = DatasetCard(**registry.document(self._store.whole, "datasets", plan.dataset.id)["card"])
        key = (plan.dataset.listing, card.source)
        with self._lock:
            if key not in self._datasets:
                listing = Listing.from_bytes(self._store.get_blob(plan.dataset.listing))
                opened = open_dataset(card, self._store.open_blob, listing, open_store=self._open_store)
                keep(self._datasets, key, opened, DATASETS)
            return self._datasets[key]


def _is(job: Document, kind: str | None) -> bool:
    """Whether a job is of a kind, as `Artifacts.job` means it."""
    return registry.is_map(job) if kind == MAP else kind in (None, job["kind"])


def said_of_tile(plan: Plan, tile: Tile) -> str:
    """How the icons of a tile were made, a preview's by its own recipe."""
    return said_of_icons(plan.spec.model_copy(update={"recipe": tile.recipe}))


def keep(values: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> None:
    """Keep a value as the newest of so many at most."""
    values[key] = value
    values.move_to_end(key)
    while len(values) > most:
        values.popitem(last=False)
