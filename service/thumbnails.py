"""A map at a glance: its coarsest level, as far as it can be seen, as one small picture."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from atlas_core.keys import digest
from atlas_core.manifest import said_of_icons
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


def tag_of_published(job: Document) -> str:
    """What the thumbnail of a map that is complete goes by, as nothing of it will change."""
    return digest(["thumbnail", VERSION, job["digest"]])


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

    def seen(self, job: Document, plan: Plan) -> tuple[str, bytes]:
        """A map as it can be seen now.

        Args:
            job: The job that makes it.
            plan: Its plan.

        Returns:
            A digest that changes with the picture, and the picture, WebP; without icons it shows how many samples cells
            have.

        Raises:
            NotFoundError: There is nothing to be seen, or not yet.
        """
        layer = plan.spec.layers[0]
        side = self._artifacts.side(plan, layer, 0)
        tiles: dict[tuple[int, int], str] = {}
        if plan.spec.rendered:
            tiles = {(tile.x, tile.y): tile.blob for tile in self._artifacts.tiles(plan, layer, side) if tile.blob}
            if not tiles:
                raise self._artifacts.missing(plan, "nothing of this map can be seen yet")
        blobs = sorted(tiles.values()) or [self._artifacts.cells_blob(plan, layer, side)]
        done = job["state"] == "succeeded"
        tag = tag_of_published(job) if done else digest(["thumbnail", VERSION, blobs])
        with self._lock:
            picture = self._kept.get(tag)
        if picture is None:
            picture = self._composed(plan, side, tiles) if tiles else self._counted(blobs[0], side)
        with self._lock:
            keep(self._kept, tag, picture, KEPT)
        return tag, picture

    def _composed(self, plan: Plan, side: int, tiles: dict[tuple[int, int], str]) -> bytes:
        data = {place: self._store.get_blob(blob) for place, blob in tiles.items()}
        return compose_thumbnail(data, side, said_of_icons(plan.spec))

    def _counted(self, cells: str, side: int) -> bytes:
        return thumbnail_of_poster(compose_counts(self._artifacts.cells(cells), side))
