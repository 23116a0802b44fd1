"""An atlas in Python: its cells as columns, its icons as pictures, itself in a notebook."""

from __future__ import annotations

import base64
import functools
import html
import io
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from atlas_client.client import Client
from atlas_client.connection import Document
from atlas_client.errors import BadInputError, ClientError
from atlas_client.place import Place, place_of
from atlas_client.samples import Question, crop, samples
from atlas_client.sources import FolderSource, ServiceSource, Source

TILE_SIDE = 10
SHOWN_SIDE = 1024  # pixels that a notebook shows at most
WHOLE = ("column", "row", "count", "images")
MEASURED = ("coherence", "pair_cosine")
OF_ICONS = (
    "whitened_cosine", "robust", "retrieval_rank", "contrast", "high_frequency", "start_correlation",
    "exemplar_correlation",
)  # fmt: skip
LISTED = ("classes", "exemplars")

Columns: TypeAlias = dict[str, NDArray[Any]]


class Atlas:
    """A finished atlas, of a local folder or of a service.

    Args:
        source: Where its parts are read from.
        name: What to call it.

    Attributes:
        manifest: The manifest.
    """

    def __init__(self, source: Source, name: str) -> None:
        """Read the manifest."""
        self._source = source
        self._name = name
        self.manifest: Document = source.manifest()
        self._tile = functools.lru_cache(maxsize=16)(self._decoded_tile)

    @classmethod
    def open(cls, place: str | Path, *, url: str = "", timeout: float = 60.0) -> Atlas:
        """Open an atlas.

        Args:
            place: A folder, `http://host/?atlas=ID` or `http://host/v1/atlases/ID`; with `url` also an id.
            url: The service that an id belongs to.
            timeout: Seconds to wait for each answer of a service.

        Raises:
            BadInputError: There is no atlas there.
            UnavailableError: The service cannot be reached.
        """
        found: Place = place_of(place, url)
        if found.folder is not None:
            return cls(FolderSource(found.folder), found.folder.name)
        source = ServiceSource(Client(found.url, timeout), found.id)
        try:
            return cls(source, found.id)
        except ClientError:
            source.close()
            raise

    def __enter__(self) -> Atlas:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection to a service."""
        self._source.close()

    @property
    def source(self) -> Source:
        """Where its parts are read from."""
        return self._source

    @property
    def layers(self) -> list[str]:
        """Names of its layers, in the order in which they were asked for."""
        order = self.manifest["spec"]["layers"]
        return [layer for layer in order if layer in self.manifest["layers"]]

    def levels(self, layer: str) -> list[int]:
        """Cells a side of each level of a layer, from coarse to fine."""
        return [level["side"] for level in self._levels(layer)]

    @property
    def said_of_icons(self) -> str:
        """Whether pictures of the dataset went into its icons, which has to be said wherever they are shown."""
        recipe = self.manifest["spec"]["recipe"]
        if recipe == "none":
            return "no icons"
        return f"icons {'seeded from data' if self.manifest['seeded_from_data'] else 'pure'} (recipe {recipe})"

    def cells(self, layer: str, side: int) -> Columns:
        """The cells of a level as columns, ready for `pandas.DataFrame`.

        Args:
            layer: Name of a layer.
            side: Cells a side of one of its levels.

        Returns:
            Arrays of one length by name: column, row, count, images (integers); coherence, pair_cosine, and the
            icon's whitened_cosine, robust, retrieval_rank, contrast, high_frequency, start_correlation,
            exemplar_correlation (NaN where there is none) and marks (a list of names: the gates it is under);
            top_class and top_attribution of the class with the largest; classes and exemplars (lists of objects).
        """
        cells = self.raw_cells(layer, side)
        columns: Columns = {name: np.array([cell[name] for cell in cells], np.int64) for name in WHOLE}
        for name in MEASURED:
            columns[name] = _floats([cell.get(name) for cell in cells])
        icons = [cell.get("icon") or {} for cell in cells]
        for name in OF_ICONS:
            columns[name] = _floats([icon.get(name) for icon in icons])
        columns["marks"] = _objects([icon.get("marks") or [] for icon in icons])
        tops: list[Document] = [next(iter(cell.get("classes") or ()), {}) for cell in cells]
        columns["top_class"] = _objects([top.get("name") for top in tops])
        columns["top_attribution"] = _floats([top.get("attribution") for top in tops])
        for name in LISTED:
            columns[name] = _objects([cell.get(name) or [] for cell in cells])
        return columns

    def raw_cells(self, layer: str, side: int) -> list[Document]:
        """The cells of a level as the atlas keeps them, an object each."""
        self._level(layer, side)
        return self._source.cells(layer, side)

    def icon(self, layer: str, side: int, column: int, row: int) -> Image.Image:
        """The icon of a cell, RGB; row 0 is the top row.

        Raises:
            BadInputError: There is no such cell, it is empty, or the atlas was made without icons.
        """
        size = self._level(layer, side)["icon_size"]
        if size is None:
            raise BadInputError("this atlas was made with the recipe `none` and has no icons")
        if not (0 <= column < side and 0 <= row < side):
            raise BadInputError(f"cell {column}, {row} is outside of a level of {side} cells a side")
        tile = self._tile(layer, side, column // TILE_SIDE, row // TILE_SIDE)
        left, top = column % TILE_SIDE * size, row % TILE_SIDE * size
        icon = tile.crop((left, top, left + size, top + size)) if tile else None
        if icon is None or icon.getchannel("A").getextrema() == (0, 0):
            raise BadInputError(f"cell {column}, {row} of {layer} at {side} cells a side is empty")
        return icon.convert("RGB")

    def icon_size(self, layer: str, side: int) -> int | None:
        """Side of a level's icons in pixels; None where the atlas was made without."""
        size: int | None = self._level(layer, side)["icon_size"]
        return size

    def tile(self, layer: str, side: int, x: int, y: int) -> Image.Image | None:
        """Tile (x, y) of a level, RGBA, transparent where there is no cell; None where all of it is empty."""
        if self._level(layer, side)["icon_size"] is None:
            return None
        tile = self._tile(layer, side, x, y)
        return tile.copy() if tile else None

    def poster(self, layer: str, side: int) -> Image.Image:
        """A whole level on one RGB picture, as published; an orange dot marks an icon under a gate.

        Of an atlas without icons: the more samples a cell has, the darker its square.
        """
        self._level(layer, side)
        with Image.open(io.BytesIO(self._source.poster(layer, side))) as picture:
            return picture.convert("RGB")

    def drift(self, dataset: str, **options: Any) -> Document:
        """Compare a dataset of the service with the one that this atlas was made of, and wait for what is found.

        Args:
            dataset: Its id or alias.
            **options: As for `Client.drift`.

        Returns:
            `verdict`, `p`, `smallest_share`, and by layer what moved: the `description` of docs/http.md.

        Raises:
            BadInputError: The atlas is a local folder, or the service refuses it.
        """
        source = self._of_service()
        job = source.client.drift(source.name, dataset, **options)
        found: Document = source.client.made_drift(job)["description"]
        return found

    def samples(self, layer: str, *, side: int | None = None, most: int | None = None, **which: Any) -> list[Document]:
        """The samples of a part of the map, or most like an image; of all of it by default. Only of a service's atlas.

        Args:
            layer: Name of a layer.
            side: Cells a side of the level that `cell` is of; the coarsest by default.
            most: How many at most; all by default.
            **which: One of `cell` (column, row), `box` (x0, y0, x1, y1), `polygon` (x, y each), `near` (x, y) and
                `image`, with `position` (row, column) of the image; and `label`, `predicted`, `wrong`, `right`,
                `speaks_for`, as `Question` takes them.

        Returns:
            Of each its number, image, place in the layer's grid and on the map, label, prediction and the address of
            its crop, as docs/http.md tells; give it to `crop`.

        Raises:
            BadInputError: There is no such place or class, or the atlas is a local folder.
        """
        level = 0 if side is None else self.levels(layer).index(self._level(layer, side)["side"])
        self._levels(layer)
        source = self._of_service()
        return list(samples(source.client, source.name, layer, Question(level=level, **which), most))

    def crop(self, sample: Document, *, source: str = "stored") -> Image.Image:
        """What a sample's receptive field shows, RGB, as it was kept, or with `dataset` cut from its image anew."""
        return crop(self._of_service().client, sample, source=source)

    def _of_service(self) -> ServiceSource:
        if not isinstance(self._source, ServiceSource):
            raise BadInputError("that takes a service's atlas, not a folder; open it by its URL")
        return self._source

    def __repr__(self) -> str:
        levels = "; ".join(f"{layer} {', '.join(map(str, self.levels(layer)))}" for layer in self.layers)
        return f"<Atlas {self._name}: {levels}>"

    def _repr_png_(self) -> bytes:
        layer = self.layers[0]
        poster = self.poster(layer, self.levels(layer)[-1])
        poster.thumbnail((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.LANCZOS)
        data = io.BytesIO()
        poster.save(data, "PNG")
        return data.getvalue()

    def _repr_html_(self) -> str:
        layer = self.layers[0]
        names = self.manifest.get("names", {})
        side, samples = self.levels(layer)[-1], self.manifest["layers"][layer]["samples"]
        parts = (names.get("model"), layer, names.get("dataset"), f"{samples:,} samples", f"{side} cells a side",
                 self.said_of_icons)  # fmt: skip
        caption = html.escape(" · ".join(str(part) for part in parts if part))
        picture = base64.b64encode(self._repr_png_()).decode()
        return (
            f'<figure style="margin:0"><img alt="{caption}" style="max-width:100%" '
            f'src="data:image/png;base64,{picture}"><figcaption>{caption}</figcaption></figure>'
        )

    def _levels(self, layer: str) -> list[Document]:
        if layer not in self.manifest["layers"]:
            raise BadInputError(f"the atlas has no layer {layer!r}; it has {', '.join(self.layers)}")
        levels: list[Document] = self.manifest["layers"][layer]["levels"]
        return levels

    def _level(self, layer: str, side: int) -> Document:
        for level in self._levels(layer):
            if level["side"] == side:
                return level
        sides = ", ".join(str(level) for level in self.levels(layer))
        raise BadInputError(f"{layer} has no level of {side} cells a side; it has {sides}")

    def _decoded_tile(self, layer: str, side: int, x: int, y: int) -> Image.Image | None:
        data = self._source.tile(layer, side, x, y)
        if data is None:
            return None
        with Image.open(io.BytesIO(data)) as picture:
            return picture.convert("RGBA")


def _floats(values: list[Any]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _objects(values: list[Any]) -> NDArray[np.object_]:
    column = np.empty(len(values), object)
    for index, value in enumerate(values):
        column[index] = value
    return column
