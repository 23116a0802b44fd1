"""A map at a glance: its coarsest level, as far as it can be seen, as one small picture."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from atlas_core.errors import NotFoundError
from atlas_core.keys import digest
from atlas_core.manifest import said_of_icons
from atlas_core.mapping import TILE_SIDE
from atlas_core.pyramid import compose_counts, compose_thumbnail, thumbnail_of_poster
from service.artifacts import Artifacts, keep

if TYPE_CHECKING:
    from atlas_core.plan import Plan
    from atlas_core.registry import Document
    from atlas_core.store import Store

KEPT = 256
"""Thumbnails in memory, some 20 KB each."""
VERSION = 1
"""To be raised whenever the same tiles give another picture."""
MOST_TILES = 64
"""A coarsest level of more is looked at only once its map is complete."""


class Thumbnails:
    """Makes them of the first layer's coarsest level, and keeps the newest.

    Args:
        store: Where the tiles are.
        artifacts: What knows them.
    """

    def __init__(self, store: Store, artifacts: Artifacts) -> None:
        """Start with none."""
        self._store, self._artifacts = store, artifacts
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def tag(self, job: Document, plan: Plan) -> str | None:
        """A digest that changes with what can be seen of a map; None where nothing can be seen yet.

        Args:
            job: The job that makes it.
            plan: Its plan.
        """
        if job["state"] == "succeeded":
            return digest(["thumbnail", VERSION, job["digest"]])
        side = (plan.spec.levels or [0])[0]
        if plan.spec.rendered and (-(-side // TILE_SIDE)) ** 2 > MOST_TILES:
            return None
        seen = sorted(self._tiles(plan).values()) if plan.spec.rendered else self._cells(plan)
        return digest(["thumbnail", VERSION, seen]) if seen else None

    def picture(self, tag: str, plan: Plan) -> bytes:
        """What can be seen of a map, WebP; without icons how many samples its cells have.

        Args:
            tag: As it goes by now.
            plan: Its plan.
        """
        with self._lock:
            picture = self._kept.get(tag)
        if picture is None:
            picture = self._composed(plan) if plan.spec.rendered else self._counted(plan)
        with self._lock:
            keep(self._kept, tag, picture, KEPT)
        return picture

    def _tiles(self, plan: Plan) -> dict[tuple[int, int], str]:
        layer = plan.spec.layers[0]
        tiles = self._artifacts.tiles(plan, layer, self._artifacts.side(plan, layer, 0))
        return {(tile.x, tile.y): tile.blob for tile in tiles if tile.blob is not None}

    def _cells(self, plan: Plan) -> list[str]:
        layer = plan.spec.layers[0]
        try:
            return [self._artifacts.cells_blob(plan, layer, self._artifacts.side(plan, layer, 0))]
        except NotFoundError:
            return []

    def _composed(self, plan: Plan) -> bytes:
        tiles = {place: self._store.get_blob(blob) for place, blob in self._tiles(plan).items()}
        return compose_thumbnail(tiles, (plan.spec.levels or [1])[0], said_of_icons(plan.spec))

    def _counted(self, plan: Plan) -> bytes:
        (blob,) = self._cells(plan)
        return thumbnail_of_poster(compose_counts(self._artifacts.cells(blob), (plan.spec.levels or [1])[0]))
