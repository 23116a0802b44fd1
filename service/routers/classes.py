"""What an atlas says of classes: heat maps of any of them over any level, and those that are taken for each other."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from atlas_core.errors import ConflictError, InputError
from atlas_core.keys import digest
from service.dependencies import PagingDep, ServicesDep
from service.heatmaps import Source, activation, attribution, fidelity, level_table, quality, strongest, told
from service.names import AtlasId
from service.routers.levels import LEVEL, Place, PlaceDep, Version, matches, unchanged
from service.schemas.classes import MEASURES, ConfusedPair, Heatmap, Measure
from service.schemas.pages import Page

router = APIRouter(tags=["classes"])
ClassName = Annotated[str | None, Query(alias="class", max_length=300, description="index or name of a class")]
MADE: dict[int | str, dict[str, Any]] = {304: {"description": "It has not changed"}}


@router.get(f"{LEVEL}/heatmap", response_model=Heatmap, responses=MADE)
def get_heatmap(
    place: PlaceDep,
    request: Request,
    class_: ClassName = None,
    measure: Annotated[Measure | None, Query(description="where neither a class nor a channel is given")] = None,
    channel: Annotated[int | None, Query(ge=0, le=1_000_000, description="a channel of the layer")] = None,
    v: Version = None,
) -> Response:
    """What every cell adds to a class; or how many samples it has, how right the model is there, how true its icon."""
    wanted = _wanted(class_, channel, measure)
    label = None if class_ is None else place.plan.model.class_named(class_, "/class")
    source = _source(place, wanted, label, channel)
    tag = digest([source.blob, wanted, label] + ([] if channel is None else [channel]))
    headers = {"ETag": f'"{tag}"', "Cache-Control": place.cache(v, tag)}
    if matches(request, f'"{tag}"'):
        return unchanged(headers)
    return JSONResponse(told(place, wanted, label, source, channel), headers=headers)


def _wanted(asked: str | None, channel: int | None, measure: Measure | None) -> Measure:
    of: dict[Measure, object] = {"attribution": asked, "activation": channel}
    given: list[Measure] = [name for name, one in of.items() if one is not None]
    if measure is not None and measure not in given:
        given.append(measure)
    if len(given) != 1 or of.get(given[0], measure) is None:
        raise InputError(f"a heat map is of a `class`, of a `channel`, or of a `measure`: {', '.join(MEASURES)}; give "
                         "one of them", pointer="/class")  # fmt: skip
    return given[0]


def _source(place: Place, measure: Measure, label: int | None, channel: int | None) -> Source:
    if label is not None:
        return attribution(place, label)
    if channel is not None:
        return activation(place, channel)
    if measure == "strongest":
        return strongest(place)
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
