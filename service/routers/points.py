"""All points of a layer at once, as bytes: a million of them are 13 MB, in JSON they would be 200."""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response

from atlas_core.errors import InputError
from atlas_core.search import NONE, SampleTable
from service.dependencies import ServicesDep
from service.routers.levels import FOREVER, REVALIDATE, Version, matches
from service.sample_queries import SamplesDep

router = APIRouter(prefix="/v1/atlases/{atlas}/layers/{layer:path}", tags=["samples"])
MOST_CLASSES = 2**15
POINTS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"application/octet-stream": {}},
        "description": "`X-Points` says how many; see docs/http.md for the bytes",
        "headers": {"X-Points": {"schema": {"type": "integer"}}},
    },
    304: {"description": "They have not changed"},
}


@router.get("/points", responses=POINTS, response_class=Response)
def get_points(samples: SamplesDep, services: ServicesDep, request: Request, v: Version = None) -> Response:
    """Where every sample of the layer lies, its image's label and what the network takes it for."""
    etag = f'"{samples.digest}"'
    known = v is not None and v in (samples.digest, services.artifacts.job(samples.plan.id)["digest"])
    headers = {"ETag": etag, "Cache-Control": FOREVER if known else REVALIDATE}
    if matches(request, etag):
        return Response(status_code=304, headers=headers)
    headers["X-Points"] = str(len(samples.table))
    return Response(packed(samples.table), headers=headers, media_type="application/octet-stream")


def packed(table: SampleTable) -> bytes:
    """Points as bytes, little-endian, samples in the order of the listing.

    Args:
        table: The samples of a layer, n of them.

    Returns:
        n pairs x, y as float32; n labels and n predicted classes as int16; n times whether the network is right as
        int8. -1 stands for what nobody knows.

    Raises:
        InputError: A class has too great an index.
    """
    if max(table.label.max(initial=0), table.predicted.max(initial=0)) >= MOST_CLASSES:
        raise InputError(f"points are told with at most {MOST_CLASSES} classes; ask for /samples, which has no limit")
    label, predicted = table.label[table.place], table.predicted[table.place]
    right = np.where((label == NONE) | (predicted == NONE), NONE, label == predicted)
    columns = (
        table.layout[table.place].astype("<f4"),
        label.astype("<i2"),
        predicted.astype("<i2"),
        right.astype(np.int8),
    )
    return b"".join(column.tobytes() for column in columns)
