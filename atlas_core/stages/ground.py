"""What a request for icons stands on: a level of the map, and the layer's whitening."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import directions
from atlas_core.class_names import class_name
from atlas_core.models.preprocessing import read_pixels, to_unit
from atlas_core.whitening import Whitening

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.icons import Cell, IconsRequest
    from atlas_core.stages.step import Step
    from atlas_core.tables import Table


class Ground:
    """What a request stands on: the level of the map, and the layer's whitening.

    Args:
        step: A step of the request.
        request: The request, resolved.
    """

    def __init__(self, step: Step, request: IconsRequest) -> None:
        self.step, self.request = step, request
        self.side = (step.plan.spec.levels or [])[request.z]
        (self._record,) = step.inputs("cells", step=None)
        # One number for all directions of a layer: what differs between two icons is what was asked for.
        name = f"{request.layer}/{request.recipe}/{step.parameters['version']}"
        self.key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1

    @cached_property
    def level(self) -> Table:
        """The level's cells."""
        return self.step.table(self._record, f"level-{self.side}")

    @property
    def whitening_blob(self) -> str:
        """The blob that holds the layer's whitening and the data's colours."""
        return str(self._record["blobs"]["whitening"])

    @cached_property
    def whitening(self) -> Whitening:
        """The layer's whitening."""
        return Whitening.from_tables(self.step.table(self._record, "whitening"))

    @cached_property
    def colours(self) -> NDArray[np.float32]:
        """Colours of the data, shape (channels, channels)."""
        return self.step.table(self._record, "whitening")["colours"]

    @property
    def means(self) -> NDArray[np.float32]:
        """Mean activations of the level's cells, shape (m, channels)."""
        return self.level["mean"]

    def index(self, cell: Cell) -> int:
        """Which of the level's cells this is."""
        return int(np.flatnonzero((self.level["column"] == cell.column) & (self.level["row"] == cell.row))[0])

    def seeds(self, cells: NDArray[np.int64]) -> NDArray[np.float32]:
        """Where icons start: the mean start of their cells, given by shape (n, k)."""
        return np.asarray(self.level["seed"].astype(np.float32)[cells].mean(axis=1), dtype=np.float32)

    def class_direction(self, label: int) -> NDArray[np.float32]:
        """The direction of a class at the layer, shape (channels,)."""
        (classes,) = self.step.inputs("cells", step="classes")
        attribution = self.step.table(classes, f"attribution-{self.side}")["attribution"]
        return directions.of_class(self.means, self.level["count"], attribution, label)

    def activations(self, image: str) -> NDArray[np.float32]:
        """The layer's activations of an image, shape (channels, height, width)."""
        card = self.step.plan.model.card
        pixels = to_unit(read_pixels(self.step.runtime.store.get_blob(image), card.input)[None])
        name = self.step.layer.name
        read, _ = self.step.runtime.model(card).activations(pixels, [name], logits=False)
        found: NDArray[np.float32] = read[name][0]
        return found


def class_note(step: Step, label: int) -> dict[str, Any]:
    """How a picture says which class it is of."""
    return {"class": label, "name": class_name(label, step.plan.model.class_names)}
