"""A cell followed to another layer: which cells there hold its samples."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from atlas_core import tables
from atlas_core.errors import NotFoundError
from atlas_core.flows import flow
from service.routers.levels import LEVEL, Coordinate, Place, PlaceDep
from service.samples import Samples
from service.schemas.flows import Flow

router = APIRouter(prefix=LEVEL, tags=["samples"])
DIGITS = 5


@router.get("/cells/{column}-{row}/flow", response_model=Flow)
def get_flow(
    place: PlaceDep,
    column: Coordinate,
    row: Coordinate,
    to: Annotated[str, Query(description="name of the layer that is followed to")],
    at: Annotated[int | None, Query(ge=0, le=63, description="its level; the same by default")] = None,
    points: Annotated[int, Query(ge=0, le=5000, description="places on its map told at most")] = 0,
) -> Any:
    """Where a cell's samples lie at another layer: the same images at the same points."""
    if column >= place.side or row >= place.side:
        raise NotFoundError(f"cell {column}-{row} lies outside of a level of {place.side} cells a side")
    z = place.z if at is None else at
    side = place.services.artifacts.side(place.plan, to, z)
    own = Samples(place.services.artifacts, place.plan, place.layer).table
    samples = own.sample[own.in_cell(place.side, column, row)]
    found = flow(samples, _layout(place, place.layer), _layout(place, to), side)
    return {
        "layer": to,
        "z": z,
        "side": side,
        "samples": len(samples),
        "followed": len(found.points),
        **{name: getattr(found, name).tolist() for name in ("column", "row", "count")},
        "share": found.share.round(DIGITS).tolist(),
        "points": found.points[:points].astype(float).round(DIGITS).tolist(),
    }


def _layout(place: Place, layer: str) -> tables.Table:
    """Points, image and point of a layer's samples; raises NotFoundError while it is not laid out."""
    artifacts = place.services.artifacts
    record = artifacts.record(place.plan.layout_of(layer))
    if record is None:
        raise artifacts.missing(place.plan, f"the samples of {layer!r} are not laid out yet")
    return artifacts.table(record["blobs"]["layout"])
