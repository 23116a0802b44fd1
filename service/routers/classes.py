"""What an atlas says of classes: heat maps of any of them over any level, and those that are taken for each other."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from atlas_core.errors import ConflictError, InputError
from atlas_core.keys import digest
from service.dependencies import PagingDep, ServicesDep
from service.heatmaps import Source, attribution, fidelity, level_table, quality, told
from service.names import AtlasId
from service.routers.levels import LEVEL, Place, PlaceDep, Version, matches
from service.schemas.classes import ConfusedPair, Heatmap, Measure
from service.schemas.pages import Page

router = APIRouter(tags=["classes"])
ClassName = Annotated[str | None, Query(alias="class", max_length=300, description="index or name of a class")]
MADE: dict[int | str, dict[str, Any]] = {304: {"description": "It has not changed"}}


@router.get(f"{LEVEL}/heatmap", response_model=Heatmap, responses=MADE)
def get_heatmap(
    place: PlaceDep,
    request: Request,
    class_: ClassName = None,
    measure: Annotated[Measure | None, Query(description="attribution where a class is given")] = None,
    v: Version = None,
) -> Response:
    """What every cell adds to a class; or how many samples it has, how right the model is there, how true its icon."""
    label = _label(place, class_, measure)
    wanted: Measure = measure or "attribution"
    source = _source(place, wanted, label)
    tag = digest([source.blob, wanted, label])
    headers = {"ETag": f'"{tag}"', "Cache-Control": place.cache(v, tag)}
    if matches(request, f'"{tag}"'):
        return Response(status_code=304, headers=headers)
    return JSONResponse(told(place, wanted, label, source), headers=headers)


def _label(place: Place, asked: str | None, measure: Measure | None) -> int | None:
    if (asked is None) != (measure not in (None, "attribution")):
        raise InputError("a heat map is of a `class`, or of a `measure`: count, error, confidence, calibration, "
                         "coherence or fidelity; give one of them", pointer="/class")  # fmt: skip
    return None if asked is None else place.plan.model.class_named(asked, "/class")


def _source(place: Place, measure: Measure, label: int | None) -> Source:
    if label is not None:
        return attribution(place, label)
    if measure in ("count", "coherence"):
        blob, cells = level_table(place)
        return Source(blob, cells[measure])
    return fidelity(place) if measure == "fidelity" else quality(place, measure)


@router.get("/v1/atlases/{atlas}/confusions", response_model=Page[ConfusedPair])
def list_confusions(atlas: AtlasId, services: ServicesDep, paging: PagingDep) -> Any:
    """The 100 pairs of classes that the model confuses most surely, then those whose logits come closest."""
    services.artifacts.job(atlas, "atlas")
    plan = services.artifacts.plan(atlas)
    if plan.model.classes is None:
        raise InputError(f"the model {plan.model.card.name!r} has no logits, so it takes no class for another")
    chunks = plan.find("publish", step="confusions")
    if not chunks:
        raise ConflictError(f"the atlas {atlas} was planned by an earlier version, which counted none; delete it and "
                            "ask for it again, or ask under another seed")  # fmt: skip
    record = services.artifacts.record(chunks[0])
    if record is None:
        raise services.artifacts.missing(plan, "the confusions are not counted yet")
    return paging.page(json.loads(services.store.get_blob(record["blobs"]["confusions"])))
