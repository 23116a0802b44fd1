"""Names on the map, computed from what the store holds and kept for as long as they are asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from atlas_core.keys import digest
from atlas_core.placenames import all_names, clearly_strongest, names_of_classes, said_by
from service.artifacts import keep

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from service.samples import Samples

KEPT = 64
"""Layers whose names are kept in memory; they are computed in tens of milliseconds, of a million samples in seconds."""
Told = list[dict[str, Any]]


class PlaceNames:
    """What the regions of layers are called; computed once a process."""

    def __init__(self) -> None:
        """Nothing is named yet."""
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Told] = OrderedDict()

    def of(self, samples: Samples) -> tuple[str, Told]:
        """The names of a layer, those of wide regions first, and the digest of what they were made of.

        Raises:
            NotFoundError: Its samples are not attributed yet.
            InputError: Nothing in it has a name.
        """
        strongest = _strongest(samples)
        plan, layer = samples.plan, samples.layer
        made_of = [plan.samples_of(layer).key, None if strongest is None else plan.classes_of(layer).key]
        tag = digest(["names", "agreed", *made_of])
        with self._lock:
            if tag in self._kept:
                self._kept.move_to_end(tag)
                return tag, self._kept[tag]
        table = samples.table
        said = said_by(table, strongest)
        names = names_of_classes(plan, int(said.max()) + 1)
        told = all_names(table, said, names)
        with self._lock:
            keep(self._kept, tag, told, KEPT)
        return tag, told


def _strongest(samples: Samples) -> NDArray[np.int32] | None:
    """The class that each sample adds most to, `NONE` in cells without a clear class; None where they add to none."""
    if samples.plan.unattributed(samples.layer) is not None:
        return None
    index = samples.class_index()
    return None if index is None else clearly_strongest(index, samples.table, samples.in_clear_cells())
