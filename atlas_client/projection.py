"""Where an image landed on an atlas: the service's answer, as columns, as a heat map, and drawn."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from atlas_client.errors import BadInputError

if TYPE_CHECKING:
    from atlas_client.atlas import Atlas

NUMBERS = ("row", "column", "x", "y", "spread", "distance", "percentile")
SHOWN_SIDE = 20
"""The finest level that is drawn by default: icons of a finer one are too small beside the picture."""


class Projection(dict[str, Any]):
    """An answer to a projection; a dictionary with the fields that docs/http.md names.

    Args:
        answer: The answer, or `image` and `error` of an image that was refused.
        image: Bytes of the image.
        name: What to call it.
        atlas: Opens the atlas it was projected on.
    """

    def __init__(
        self,
        answer: dict[str, Any],
        image: bytes = b"",
        name: str = "",
        atlas: Callable[[], Atlas] | None = None,
    ) -> None:
        """Nothing is read yet."""
        super().__init__(answer)
        self.image = image
        self.name = name
        self._atlas = atlas

    @property
    def layers(self) -> list[str]:
        """Names of the layers that it was projected at."""
        return list(self["layers"])

    @property
    def classes(self) -> list[tuple[str, float]]:
        """The image's strongest classes with their probabilities, the strongest first."""
        return [(one["name"], one["probability"]) for one in self["classes"]]

    def typical_share(self, layer: str | None = None) -> float:
        """Share of the positions whose distance is under the 95th percentile of the atlas's own samples, 0 to 1."""
        return float(self._of(layer)["typical_share"])

    def columns(self, layer: str | None = None) -> dict[str, NDArray[Any]]:
        """The positions as columns, ready for `pandas.DataFrame`.

        Args:
            layer: Name of a layer, the first by default.

        Returns:
            Arrays of one length: row and column in the layer's grid, x and y on the map, spread, distance, percentile,
            and ambiguous (bool).
        """
        positions = self._of(layer)["positions"]
        columns = {name: np.array([position[name] for position in positions]) for name in NUMBERS}
        columns["ambiguous"] = np.array([position["ambiguous"] for position in positions], dtype=bool)
        return columns

    def sides(self, layer: str | None = None) -> list[int]:
        """Cells a side of the levels that positions have cells at, from coarse to fine."""
        positions = self._of(layer)["positions"]
        return sorted(int(side) for side in positions[0]["cells"]) if positions else []

    def to_heatmap(self, layer: str | None = None, side: int | None = None) -> NDArray[np.float64]:
        """Share of the positions that land in each cell of a level.

        Args:
            layer: Name of a layer, the first by default.
            side: Cells a side of one of its levels, the finest by default.

        Returns:
            Shape (side, side), by row and column, row 0 at the top; its sum is 1.

        Raises:
            BadInputError: There is no such layer or level.
        """
        positions, sides = self._of(layer)["positions"], self.sides(layer)
        wanted = sides[-1] if side is None and sides else side
        if wanted not in sides:
            raise BadInputError(f"there is no level of {wanted} cells a side; there are {', '.join(map(str, sides))}")
        heat = np.zeros((wanted, wanted))
        for position in positions:
            cell = position["cells"][str(wanted)]
            heat[cell["row"], cell["column"]] += 1 / len(positions)
        return heat

    def picture(self, layer: str | None = None, side: int | None = None) -> Image.Image:
        """The image beside a level of the atlas, on which it lights up what it landed on.

        Args:
            layer: Name of a layer, the first by default.
            side: Cells a side of one of its levels; by default the finest of at most 20.

        Raises:
            BadInputError: There is no such layer or level, or no atlas to draw.
        """
        return self._drawn(layer, side)[0]

    def to_png(self, layer: str | None = None, side: int | None = None) -> bytes:
        """`picture` as PNG; its `Description` says whether icons on it are seeded from data."""
        picture, said = self._drawn(layer, side)
        described = PngInfo()
        described.add_text("Description", said)
        data = io.BytesIO()
        picture.save(data, "PNG", pnginfo=described)
        return data.getvalue()

    def _repr_png_(self) -> bytes | None:
        return None if self._atlas is None or "error" in self else self.to_png()

    def _drawn(self, layer: str | None, side: int | None) -> tuple[Image.Image, str]:
        from atlas_client.landing import draw_landing

        if self._atlas is None:
            raise BadInputError("this answer knows no atlas to draw; ask for it by Client.project")
        self._of(layer)
        with self._atlas() as atlas:
            name = layer or self.layers[0]
            sides = atlas.levels(name)
            shown = side or max((one for one in sides if one <= SHOWN_SIDE), default=sides[0])
            return draw_landing(self, atlas, name, shown), atlas.said_of_icons

    def _of(self, layer: str | None) -> dict[str, Any]:
        """A layer's part of the answer."""
        name = self.layers[0] if layer is None else layer
        if name not in self["layers"]:
            raise BadInputError(f"the answer has no layer {name!r}; it has {', '.join(self.layers)}")
        found: dict[str, Any] = self["layers"][name]
        return found
