"""A model looked at: loaded, its layers listed, measured on images and by the clock."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atlas_core.models.inspect import Inspection, inspect_model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from atlas_core.cards import ModelCard
    from atlas_core.models.base import LoadedModel

    LabelledImages = Iterable[tuple[NDArray[np.uint8], int]]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Look:
    """What was found, and what a forward pass costs (None where that cannot be measured)."""

    inspection: Inspection
    cost: dict[str, Any] | None


def look(
    card: ModelCard,
    read_blob: Callable[[str], bytes],
    images: LabelledImages | None,
    classes: Sequence[str] | None,
    on_layers: Callable[[], None] = lambda: None,
) -> Look:
    """Look at a model in this process.

    Args:
        card: Resolved.
        read_blob: Gives the bytes of a blob by its SHA-256 in hex.
        images: Labelled images as the network takes them; None to measure nothing.
        classes: The images' classes in the order of their labels.
        on_layers: Called once its layers are known, before it is measured.

    Raises:
        ModelError: It cannot be loaded.
    """
    from atlas_core.models.base import load_model

    model = load_model(card, read_blob)
    model.described()
    on_layers()
    found = inspect_model(model) if images is None else inspect_model(model, images, classes)
    return Look(found, _cost(model))


def _cost(model: LoadedModel) -> dict[str, Any] | None:
    """What the model's forward pass takes here; None where it cannot be measured, and estimates do without."""
    from atlas_core.models.cost import measure_cost

    try:
        return measure_cost(model, time.process_time)  # whatever else runs here now
    except Exception:
        log.warning("the cost of the model %r cannot be measured", model.card.name, exc_info=True)
        return None
