"""The images behind samples, as pages or as one table to keep."""

from __future__ import annotations

import csv
import io
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from service.dependencies import PagingDep
from service.sample_queries import AreaDep, SamplesDep, SpeakingDep
from service.schemas.samples import ImagePage

router = APIRouter(prefix="/v1/atlases/{atlas}/layers/{layer:path}", tags=["samples"])
CSV = "text/csv"
COLUMNS = ("image", "label", "predicted", "right", "samples")
TABLE: dict[int | str, dict[str, Any]] = {200: {"content": {CSV: {"schema": {"type": "string"}}}}}


@router.get("/images", response_model=ImagePage, responses=TABLE)
def list_images(
    samples: SamplesDep, filters: SpeakingDep, area: AreaDep, paging: PagingDep, request: Request
) -> Response:
    """The images of the samples that are asked for, as of `samples`, in the listing's order; all as CSV by Accept."""
    rows = samples.table.inside(area.area, filters.of(samples))
    if CSV in request.headers.get("accept", ""):
        return Response(_table(samples.images(rows)[0]), media_type=f"{CSV}; charset=utf-8")
    stop = paging.start + paging.size
    items, total = samples.images(rows, slice(paging.start, stop))
    return JSONResponse({"items": items, "next_page_token": str(stop) if stop < total else None, "total": total})


def _table(images: list[dict[str, Any]]) -> str:
    """A line for each image, classes by their names."""
    text = io.StringIO()
    written = csv.writer(text, lineterminator="\n")
    written.writerow(COLUMNS)
    for one in images:
        label, predicted = ((one[name] or {"name": ""})["name"] for name in ("label", "predicted"))
        right = {True: "yes", False: "no", None: ""}[one["right"]]
        written.writerow([_plain(one["image"]), _plain(label), _plain(predicted), right, one["samples"]])
    return text.getvalue()


def _plain(value: Any) -> Any:
    """A text that a spreadsheet takes for no formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" else value
