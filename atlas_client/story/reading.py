"""What a story is told from: an atlas, and what its service knows besides; a folder knows less, and says so."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from PIL import Image

from atlas_client.connection import Document, path_of
from atlas_client.errors import BadInputError, RefusedError
from atlas_client.sources import ServiceSource

if TYPE_CHECKING:
    from atlas_client.atlas import Atlas
    from atlas_client.client import Client

NO_SERVICE = "that takes the service that made the atlas, and this story was told from a folder"
Found = TypeVar("Found")


class MissingError(Exception):
    """Something that cannot be told, with the reason in words for the page."""


class Reader:
    """Reads an atlas for a story.

    Args:
        atlas: The atlas.
        audit: Id of an audit of its model; None for a story without.

    Attributes:
        atlas: The atlas.
        manifest: Its manifest.
        layers: Names of its layers, in order.
    """

    def __init__(self, atlas: Atlas, audit: str | None = None) -> None:
        """Nothing is read yet."""
        self.atlas, self.audit = atlas, audit
        self.manifest: Document = atlas.manifest
        self.layers = atlas.layers
        source = atlas.source
        self._service = source if isinstance(source, ServiceSource) else None
        self.cells = lru_cache(maxsize=32)(atlas.raw_cells)

    @property
    def deepest(self) -> str:
        """The layer nearest to the answer."""
        return self.layers[-1]

    def side(self, layer: str, most: int) -> int:
        """Cells a side of the finest level of at most so many, else of the coarsest."""
        levels = self.atlas.levels(layer)
        return max((side for side in levels if side <= most), default=levels[0])

    def names(self, layer: str) -> list[Document]:
        """What regions of a layer's map are called, by rank, wide ones first.

        Raises:
            MissingError: Nobody named them.
        """
        found = self._asked(lambda client, name: list(client.items(path_of("atlases", name, "layers", layer, "names"))))
        if not found:
            raise MissingError("no region says any name clearly oftener than the rest of the map")
        ranks: dict[str, Document] = {}
        for one in found:
            ranks.setdefault(one["rank"], {"rank": one["rank"], "width": one["width"], "names": []})["names"].append(
                one
            )
        return list(ranks.values())

    def heat(self, layer: str, side: int, label: int | None = None, measure: str | None = None) -> Document:
        """A heat map of a class, or of a measure, over a level.

        Raises:
            MissingError: Nobody can tell it.
        """
        level = self.atlas.levels(layer).index(side)
        return self._asked(lambda client, name: client.heatmap(name, layer, level, label, measure))

    def confusions(self) -> list[Document]:
        """The pairs of classes that the model takes for each other, the surest first.

        Raises:
            MissingError: There are none, or nobody counted.
        """
        found = self._asked(lambda client, name: client.confusions(name))
        if not found:
            raise MissingError("the model has fewer than two classes with enough images to compare")
        return found

    def exemplars(self, layer: str, side: int, cell: Document, most: int) -> list[Image.Image]:
        """Real patches of a cell, RGB; none where none are kept."""
        if self._service is None or self.manifest["spec"].get("privacy") == "strict":
            return []
        level, source = self.atlas.levels(layer).index(side), self._service
        path = path_of("atlases", source.name, "layers", layer, "levels", level, "cells",
                       f"{cell['column']}-{cell['row']}", "exemplars")  # fmt: skip
        count = min(most, len(cell.get("exemplars") or ()))
        return [opened(source.client.picture(f"{path}/{number}")) for number in range(count)]

    def tour(self) -> Document:
        """The saved places of the map.

        Raises:
            MissingError: There are none.
        """
        found = self._asked(lambda client, name: client.tour(name))
        if not found["stops"]:
            raise MissingError("nobody has saved places of this map yet")
        return found

    def told_audit(self) -> tuple[Document, Document]:
        """What an audit says: its document, and the same in words.

        Raises:
            MissingError: None was named.
            BadInputError: There is none of that name, it is not made yet, or it is of another model.
        """
        if self.audit is None:
            raise MissingError("no audit was named; atlas story ATLAS --audit AUDIT tells what one found")
        if self._service is None:
            raise MissingError(NO_SERVICE)
        client = self._service.client
        job = client.json("GET", path_of("audits", self.audit))
        document: Document | None = job["description"]
        if document is None:
            raise BadInputError(f"the audit {self.audit} is {job['state']} and has found nothing yet; wait for its end")
        if document["model"]["id"] != self.manifest["model"]["id"]:
            raise BadInputError(
                f"the audit {self.audit} is of {document['model']['name']}, another model than the atlas's"
            )
        return document, client.json("GET", path_of("audits", self.audit, "told"))

    def evidence(self, name: str) -> Image.Image:
        """A picture that a finding rests on, RGB.

        Raises:
            MissingError: It is not kept.
        """
        place = path_of("audits", str(self.audit), "evidence", name)
        return opened(self._asked(lambda client, _: client.picture(place)))

    def leading_class(self, layer: str, side: int) -> tuple[Document, int, int]:
        """The class that most cells speak for first of all, in how many of them, and of how many that speak.

        Raises:
            MissingError: Cells speak for no class.
        """
        first = [cell["classes"][0] for cell in self.cells(layer, side) if cell.get("classes")]
        if not first:
            raise MissingError("the cells of this atlas speak for no class: it was made without attributions")
        (index, count), *_ = Counter(one["index"] for one in first).most_common(1)
        return next(one for one in first if one["index"] == index), count, len(first)

    def _asked(self, ask: Callable[[Client, str], Found]) -> Found:
        if self._service is None:
            raise MissingError(NO_SERVICE)
        try:
            return ask(self._service.client, self._service.name)
        except RefusedError as error:
            raise MissingError(error.detail) from None


def opened(data: bytes) -> Image.Image:
    """A picture, RGB."""
    with Image.open(io.BytesIO(data)) as picture:
        return picture.convert("RGB")
