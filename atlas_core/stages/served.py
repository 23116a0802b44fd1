"""Pictures in the place of a level's icons, as they are served: through the tile's codec, and measured after it."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from atlas_core import tables
from atlas_core.featurevis.recipes import (
    THUMBNAIL_SIDE,
    canvas_size,
    recipe_named,
    shown_side,
)
from atlas_core.fidelity import measure
from atlas_core.likeness import correlation, highest_correlation, shrunk
from atlas_core.mapping import TILE_SIDE
from atlas_core.pyramid import compose_tile, cut_icons, decode_tile, displayed, undisplayed
from atlas_core.whitening import Whitening

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.featurevis.render import Renderer
    from atlas_core.memory import Batches
    from atlas_core.stages.step import Step


def icon_key(layer: str, side: int, column: int, row: int, recipe: str, version: int) -> int:
    """The number from which all randomness of an icon comes."""
    name = f"{layer}/{side}/{column}-{row}/{recipe}/{version}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1


class Served:
    """The cells of a level, and what is needed to render and to measure pictures of them.

    Args:
        step: A step of the layer whose inputs hold its cells.
        side: Cells a side of the level.
        recipe: Name of the recipe.

    Attributes:
        cells: The level's table.
        canvas: Side of the pictures in input pixels.
    """

    def __init__(self, step: Step, side: int, recipe: str) -> None:
        """Read the cells."""
        self._step, self._side = step, side
        (self._record,) = step.inputs("cells")
        self._card, self._recipe = step.plan.model.card, recipe_named(recipe)
        self.canvas = canvas_size(self._recipe, step.layer, self._card.input)
        self.cells = step.table(self._record, f"level-{side}")

    @cached_property
    def _whitening(self) -> Whitening:
        return Whitening.from_tables(self._step.table(self._record, "whitening"))

    @cached_property
    def _renderer(self) -> Renderer:
        whitening = self._record["blobs"]["whitening"]
        return self._step.runtime.renderer(self._card, self._step.layer, self._recipe, self.canvas, whitening)

    @cached_property
    def batches(self) -> Batches:
        """How many pictures at once."""
        return self._renderer.batches()

    def icons(self, within: NDArray[np.intp]) -> NDArray[np.uint8]:
        """The icons of some cells, shape (m, canvas, canvas, channels)."""
        return self._renderer(*self._wanted(within), self._step.on_progress, self.batches)

    def starts(self, within: NDArray[np.intp]) -> NDArray[np.uint8] | None:
        """The pictures that these icons start from; None where the recipe starts from no picture."""
        if not self._recipe.seeded:
            return None
        _, seeds, keys = self._wanted(within)
        return self._renderer.starts(seeds, keys, self.batches)

    def _wanted(self, within: NDArray[np.intp]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None, list[int]]:
        """Targets, seeds and keys of the icons of some cells."""
        cells, recipe, layer = self.cells, self._recipe, self._step.layer.name
        places = zip(cells["column"][within].tolist(), cells["row"][within].tolist(), strict=True)
        keys = [icon_key(layer, self._side, *place, recipe.name, recipe.version) for place in places]
        return cells["mean"][within], cells["seed"][within].astype(np.float32) if recipe.seeded else None, keys

    def tile(
        self, pictures: NDArray[np.uint8], places: NDArray[np.int32], shape: tuple[int, int], said: str = ""
    ) -> tuple[bytes, NDArray[np.uint8]]:
        """A tile of these pictures, and they as it shows them, in the network's channels.

        Args:
            pictures: Shape (m, canvas, canvas, channels).
            places: Column and row of each within the tile, shape (m, 2).
            shape: Columns and rows of the tile.
            said: Of the tile, kept in it.
        """
        visible = self._card.input.visible
        data = compose_tile(displayed(pictures, visible), places, *shape, said)
        return data, undisplayed(cut_icons(decode_tile(data), places, self.canvas), pictures, visible)

    def as_served(self, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pictures after the tile's codec."""
        place = np.arange(len(pictures), dtype=np.int32)
        rows = -(-len(pictures) // TILE_SIDE)
        return self.tile(pictures, np.stack([place % TILE_SIDE, place // TILE_SIDE], axis=1), (TILE_SIDE, rows))[1]

    def measured(self, served: NDArray[np.uint8], within: NDArray[np.intp]) -> tables.Table:
        """Measure pictures as served, each in the place of its cell's icon.

        Args:
            served: Shape (m, canvas, canvas, channels).
            within: Their cells, shape (m,).

        Returns:
            `cell`, `marks.MEASURES` and `exemplar_contrast`, each of shape (m,).
        """
        found = measure(
            self._renderer.trunk, served, self.cells["mean"][within], self.cells["mean"], within, self._whitening,
            self.canvas, input=self._card.input, layer=self._step.layer, device=self._renderer.device,
            batches=self.batches,
        )  # fmt: skip
        unknown = np.full(len(within), np.nan, np.float32)
        starts = self.starts(within)
        return {
            "cell": within,
            **found,
            "start_correlation": unknown if starts is None else correlation(served, starts),
            "exemplar_correlation": unknown if "exemplars" not in self.cells else self._with_exemplars(served, within),
            "exemplar_contrast": self.cells["exemplar_contrast"][within],
        }

    def _with_exemplars(self, served: NDArray[np.uint8], within: NDArray[np.intp]) -> NDArray[np.float32]:
        """The highest correlation with an exemplar, at the thumbnails' resolution, over what the canvas shows."""
        sha256 = self._record["blobs"][f"exemplars-{self._side}"]
        with self._step.runtime.store.open_blob(sha256) as file:  # mapped: other tiles' cells are not read
            thumbnails = tables.open_table(file)["thumbnails"][within]
        side = shown_side(self.canvas, self._step.layer, self._card.input)
        edge = (THUMBNAIL_SIDE - side) // 2
        shown = thumbnails[:, :, edge : edge + side, edge : edge + side]
        return highest_correlation(shrunk(served, side), shown, (self.cells["exemplars"][within] >= 0).sum(axis=1))
