"""Heat maps read from what an atlas has published: a row of a table that is mapped into memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from atlas_core.errors import InputError
from atlas_core.heatmap import enough_samples, extremes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from service.routers.levels import Place
    from service.schemas.classes import Measure

DIGITS = 5
OPPOSED = 3
"""Classes that a cell says it speaks against."""


class Source(NamedTuple):
    """Where a heat map is read from: the digest that its link is versioned by, values, and what belongs to them."""

    blob: str
    values: NDArray[Any]
    beside: Mapping[str, NDArray[Any]] = {}


def level_table(place: Place) -> tuple[str, Mapping[str, NDArray[Any]]]:
    """A level's cells: digest and columns.

    Raises:
        NotFoundError: They are not made yet.
    """
    artifacts = place.services.artifacts
    record = artifacts.record(place.plan.cells_of(place.layer))
    if record is None:
        raise artifacts.missing(place.plan, f"the cells of {place.layer!r} are not made yet")
    blob = record["blobs"][f"level-{place.side}"]
    return blob, artifacts.table(blob)


def attribution(place: Place, label: int) -> Source:
    """What each cell adds to a class.

    Raises:
        NotFoundError: The samples are not attributed yet.
        InputError: They add to no class.
    """
    blob, values = _attributions(place, "/class")
    return Source(blob, values[label])


def activation(place: Place, channel: int) -> Source:
    """The mean activation of a channel in each cell.

    Raises:
        NotFoundError: The cells are not made yet.
        InputError: The layer has no such channel.
    """
    blob, cells = level_table(place)
    channels = cells["mean"].shape[1]
    if channel >= channels:
        raise InputError(f"{place.layer!r} has channels 0 to {channels - 1}, no channel {channel}", pointer="/channel")
    return Source(blob, cells["mean"][:, channel])


def strongest(place: Place) -> Source:
    """What each cell adds to the class that it adds most to.

    Raises:
        NotFoundError: The samples are not attributed yet.
        InputError: They add to no class.
    """
    blob, values = _attributions(place, "/measure")
    return Source(blob, values.max(axis=0))


def _attributions(place: Place, pointer: str) -> tuple[str, NDArray[np.float16]]:
    if (reason := place.plan.unattributed(place.layer)) is not None:
        raise InputError(f"cells of {place.layer!r} cannot be asked by class: {reason}", pointer=pointer)
    artifacts = place.services.artifacts
    record = artifacts.record(place.plan.classes_of(place.layer))
    if record is None:
        raise artifacts.missing(place.plan, f"the classes of the cells of {place.layer!r} are not made yet")
    blob: str = record["blobs"][f"attribution-{place.side}"]
    return blob, artifacts.table(blob)["attribution"]


def against(place: Place, cell: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The classes that a cell speaks against most, beside those that it tells itself, the strongest first.

    Empty where it speaks against none, or classes are not known.
    """
    record = None if cell["classes"] is None else place.services.artifacts.record(place.plan.classes_of(place.layer))
    blob = None if record is None else record["blobs"].get(f"attribution-{place.side}")
    if not cell["classes"] or blob is None:
        return []
    _, cells = level_table(place)
    (index,) = np.flatnonzero((cells["column"] == cell["column"]) & (cells["row"] == cell["row"]))
    values = place.services.artifacts.table(blob)["attribution"][:, index].astype(np.float64)
    values[[one["index"] for one in cell["classes"]]] = 0
    lowest = np.argsort(values, kind="stable")[:OPPOSED]
    return [{**place.plan.model.told_class(int(label)), "attribution": _short(values[label])}
            for label in lowest if values[label] < 0]  # fmt: skip


def quality(place: Place, measure: Measure) -> Source:
    """How right the model is in each cell.

    Raises:
        NotFoundError: It is not counted yet.
        InputError: Nobody can tell, without labels or without logits.
    """
    blob, table = quality_table(place, measure)
    ends = {"low": table["error_low"], "high": table["error_high"]} if measure == "error" else {}
    return Source(blob, table[measure], {**ends, "images": table["images"]})


def quality_table(place: Place, wanted: str) -> tuple[str, Mapping[str, NDArray[Any]]]:
    """How right the model is in a level's cells: digest and columns.

    Args:
        place: The level.
        wanted: What is asked of it, for the errors.

    Raises:
        NotFoundError: It is not counted yet.
        InputError: Nobody can tell, without labels or without logits.
    """
    artifacts = place.services.artifacts
    record = artifacts.record(place.plan.quality_of(place.layer))
    if record is None:
        raise artifacts.missing(place.plan, f"how right the model is in the cells of {place.layer!r} is not told yet")
    if not record["blobs"]:
        raise InputError(f"nobody can tell the {wanted} of a cell: {record['info']['reason']}", pointer="/measure")
    blob = record["blobs"][f"quality-{place.side}"]
    return blob, artifacts.table(blob)


def fidelity(place: Place) -> Source:
    """How true each cell's icon is.

    Raises:
        NotFoundError: The level's icons are not all rendered yet.
        InputError: The atlas has no icons.
    """
    if not place.plan.spec.rendered:
        raise InputError("this atlas was made with the recipe `none`; without icons there is no fidelity",
                         pointer="/measure")  # fmt: skip
    artifacts = place.services.artifacts
    done = artifacts.published(place.plan, place.layer, place.side)
    if done is None:
        raise artifacts.missing(place.plan, f"the icons of this level of {place.layer!r} are not all rendered yet")
    blob = done["blobs"]["cells"]
    measured = [(cell["icon"] or {}).get("whitened_cosine") for cell in artifacts.cells(blob)]
    return Source(blob, np.array([np.nan if one is None else one for one in measured], np.float64))


def told(
    place: Place, measure: Measure, label: int | None, source: Source, channel: int | None = None
) -> dict[str, Any]:
    """A heat map as it is told."""
    _, cells = level_table(place)
    least, greatest = extremes(source.values, cells["count"])
    return {
        "layer": place.layer,
        "z": place.z,
        "side": place.side,
        "measure": measure,
        "class": None if label is None else place.plan.model.told_class(label),
        "channel": channel,
        "scale": _short(max(abs(least), abs(greatest))),
        "least": _short(least),
        "greatest": _short(greatest),
        "enough": enough_samples(cells["count"]),
        **{name: cells[name].tolist() for name in ("column", "row", "count")},
        "value": numbers(source.values),
        **{name: numbers(values) for name, values in source.beside.items()},
    }


def numbers(values: NDArray[Any]) -> list[Any]:
    """Numbers for JSON, null for what is not known."""
    if np.issubdtype(values.dtype, np.integer):
        return list(values.tolist())
    return [_short(value) if value == value else None for value in values.astype(np.float64).tolist()]


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
