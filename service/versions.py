"""Comparisons of two models, or two layers: planned, and told with addresses of what they show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from atlas_core import registry
from atlas_core.aliases import resolve as resolve_name
from atlas_core.build import plan as plan_atlas
from atlas_core.errors import CardError, ConflictError, NotFoundError
from atlas_core.keys import digest
from atlas_core.versions.plan import NEW, VERSION, plan_versions, resolve
from service.routers.registered import check_ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from atlas_core.facts import ModelFacts
    from atlas_core.plan import Plan
    from atlas_core.registry import Document
    from atlas_core.versions.request import VersionsRequest
    from service.dependencies import Services


NOT_COMPLETE = "this comparison is not complete yet"


def planned(services: Services, request: VersionsRequest) -> Plan:
    """The plan of a comparison of two models.

    Raises:
        CardError: What it names is not there.
        ConflictError: A model or the dataset is still being inspected.
        SpecError: It cannot be made as asked.
    """
    old = _old(services, request)
    model = old.model if request.other is None else _model(services, request.other)
    named = {} if request.atlas is None else {"atlas": old.id}
    return plan_versions(old, resolve(request.model_copy(update=named), old, model), model)


def _old(services: Services, request: VersionsRequest) -> Plan:
    """The plan of the old model's atlas, or of what would be one."""
    if request.atlas is None:
        spec = request.sampled
        model, dataset, _ = check_ready(services, spec.model, spec.dataset)
        return plan_atlas(spec, model, dataset)
    try:
        return services.artifacts.plan(resolve_name(services.store, "atlas", request.atlas), "atlas")
    except NotFoundError as error:
        raise CardError(error.detail, pointer="/atlas") from None


def _model(services: Services, name: str) -> ModelFacts:
    try:
        return registry.model_facts(services.store, resolve_name(services.store, "model", name))
    except NotFoundError as error:
        raise CardError(error.detail, pointer="/other") from None


def told(services: Services, plan: Plan, base: str) -> Document | None:
    """What was found, with addresses of its pictures; None while it is not made.

    Args:
        services: Read it.
        plan: The comparison's.
        base: Its own address.
    """
    found = _description(services, plan)
    if found is None:
        return None
    for number, layer in enumerate(found["layers"]):
        layer["picture"]["url"] = f"{base}/pictures/{number}?v={layer['picture']['sha256']}"
        layer |= {name: f"{base}/{name}/{number}" for name in ("points", "twins", "coupled")}
    for one in _pictured(found):
        one["url"] = one["evidence"] and f"{base}/pictures/{one['evidence'].rpartition('-')[2]}"
    for patch in _patches(found):
        patch["url"] = f"{base}/exemplars/{patch['n']}?v={tag_of(found, patch['n'])}"
    return found


def summary_of(services: Services, plan: Plan) -> Document | None:
    """What was found in short, None while it is not made."""
    record = services.artifacts.record(plan.chunks[-1])
    return None if record is None else dict(record["info"]["summary"])


def blob_of(services: Services, plan: Plan, name: str) -> str:
    """Digest of a blob that a comparison made.

    Raises:
        NotFoundError: It has none of this name, or is not complete.
    """
    record = services.artifacts.record(plan.chunks[-1])
    if record is None:
        raise services.artifacts.missing(plan, NOT_COMPLETE)
    if name not in record["blobs"]:
        raise NotFoundError(f"this comparison has no {name.replace('-', ' ')}")
    return str(record["blobs"][name])


def exemplar(services: Services, plan: Plan, n: int) -> tuple[str, Callable[[], bytes]]:
    """A patch that a comparison shows: its tag, and what reads it, as PNG.

    Raises:
        NotFoundError: It shows none of this number, or is not complete.
    """
    found = _description(services, plan)
    if found is None:
        raise services.artifacts.missing(plan, NOT_COMPLETE)
    for patch in _patches(found):
        if patch["n"] == n:
            seen = plan if patch["of"] == "old" else plan.seen_as(NEW)
            return tag_of(found, n), partial(services.artifacts.exemplar, seen, patch["layer"], patch)
    raise NotFoundError(f"this comparison shows no patch {n}")


def tag_of(found: Document, n: int) -> str:
    """What names the bytes of a patch."""
    return digest([found["digest"], n])


def _description(services: Services, plan: Plan) -> Document | None:
    last = plan.chunks[-1]
    if last.parameters.get("version") != VERSION:
        raise ConflictError(f"the comparison {plan.id} was made by an earlier version, which told other numbers; ask "
                            "for it again, and delete this one")  # fmt: skip
    record = services.artifacts.record(last)
    return None if record is None else dict(json.loads(services.store.get_blob(record["blobs"]["description"])))


def _changed(found: Document) -> Iterator[dict[str, Any]]:
    """The cells that were born, lost and moved."""
    for layer in found["layers"]:
        for kind in ("born", "lost", "moved"):
            yield from layer["cells"][kind]


def _pictured(found: Document) -> Iterator[dict[str, Any]]:
    """What may have a picture of its own: classes, and cells that changed."""
    if found["accuracy"] is not None:
        yield from found["accuracy"]["classes"]
    yield from _changed(found)


def _patches(found: Document) -> Iterator[dict[str, Any]]:
    for cell in _changed(found):
        yield from cell["exemplars"]
