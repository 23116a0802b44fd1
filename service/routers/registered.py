"""Models and datasets: register, list, look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter, Response

from atlas_core import registry
from atlas_core.aliases import AliasKind, check_unnamed, lock_of, resolve
from atlas_core.errors import CardError, ConflictError, NotFoundError
from atlas_core.facts import AnchorFacts, DatasetFacts, ModelFacts
from atlas_core.inspections import Inspected, inspect
from atlas_core.registration import dataset_content
from service.dependencies import PagingDep, Services, ServicesDep
from service.idempotency import IDEMPOTENT, IdempotentRoute
from service.names import DatasetId, ModelId
from service.schemas.pages import Page
from service.schemas.registered import Dataset, DatasetRequest, Model, ModelRequest

router = APIRouter(prefix="/v1", route_class=IdempotentRoute)
RETRY = {"Retry-After": "1"}


@router.post("/models", status_code=202, response_model=Model, tags=["models"], dependencies=[IDEMPOTENT])
def add_model(body: ModelRequest, response: Response, services: ServicesDep) -> Any:
    """Register a model; a worker inspects it, and its state becomes ready, or refused with reasons."""
    card = body.card
    for field, source in (("weights", card.weights), ("source", card.source)):
        if source is not None:
            _check_blob(services, source, f"/card/{field}")
    if isinstance(card.labels, str):
        raise CardError("labels must be a list here, not the name of a file", pointer="/card/labels")
    dataset = None if body.dataset is None else _dataset_id(services, body.dataset)
    return _entered(
        services, response, "models", registry.add_model(services.store.whole, card, dataset, services.principal.owner)
    )


@router.get("/models", response_model=Page[Model], tags=["models"])
def list_models(services: ServicesDep, paging: PagingDep) -> Any:
    """All registered models, in order of registration."""
    return paging.page(registry.documents(services.store, "models"))


@router.get("/models/{model}", response_model=Model, tags=["models"])
def get_model(model: ModelId, services: ServicesDep) -> Any:
    """A model: its layers with shapes and receptive fields, input, labels, accuracy where known."""
    return registry.document(services.store, "models", model)


@router.delete("/models/{model}", status_code=204, tags=["models"])
def delete_model(model: ModelId, services: ServicesDep) -> None:
    """Drop a model that no atlas uses; its weights go with a later garbage collection."""
    _drop(services, "models", "model", model)


@router.post("/datasets", status_code=202, response_model=Dataset, tags=["datasets"], dependencies=[IDEMPOTENT])
def add_dataset(body: DatasetRequest, response: Response, services: ServicesDep) -> Any:
    """Register a dataset; a worker lists it, and its state becomes ready, or refused with reasons."""
    card = body.card
    if isinstance(card.classes, str):
        raise CardError("classes must be a list here, not the name of a file", pointer="/card/classes")
    _check_source(services, card.source, "/card/source")
    if card.root is not None:
        _check_source(services, card.root, "/card/root")
    content = dataset_content(card, services.store, services.settings.dataset_stores)
    value = registry.add_dataset(services.store.whole, card, content, services.principal.owner)
    return _entered(services, response, "datasets", value)


@router.get("/datasets", response_model=Page[Dataset], tags=["datasets"])
def list_datasets(services: ServicesDep, paging: PagingDep) -> Any:
    """All registered datasets, in order of registration."""
    return paging.page(registry.documents(services.store, "datasets"))


@router.get("/datasets/{dataset}", response_model=Dataset, tags=["datasets"])
def get_dataset(dataset: DatasetId, services: ServicesDep) -> Any:
    """A dataset: class counts, digest, skipped files with reasons."""
    return registry.document(services.store, "datasets", dataset)


@router.delete("/datasets/{dataset}", status_code=204, tags=["datasets"])
def delete_dataset(dataset: DatasetId, services: ServicesDep) -> None:
    """Drop a dataset that no atlas uses; what was uploaded for it goes with a later garbage collection."""
    _drop(services, "datasets", "dataset", dataset)


def _drop(services: Services, kind: Inspected, one: AliasKind, name: str) -> None:
    services.check_own(registry.document(services.store, kind, name), f"the {one} {name}")
    with services.ledger.lock(lock_of(one, name)):
        check_unnamed(services.store, one, name)
        for job in registry.documents(services.store, "jobs"):
            if not job.get("deleted") and name in (job["spec"].get(one), *_asked_for(job)):
                raise ConflictError(f"the {one} {name} is used by {job['kind']} {job['id']}; delete that first")
        _let_go(services, kind, one, name)


def _let_go(services: Services, kind: Inspected, one: AliasKind, name: str) -> None:
    """Have it be no longer the asker's; once nobody's, and no job of anybody's needs it, it is gone."""
    whole, who = services.store.whole, services.principal
    if registry.disown(whole, kind, name, None if who.sees_all else who.owner):
        return
    if not any(name in (job["spec"].get(one), *_asked_for(job))
               for job in registry.documents(whole, "jobs") if not job.get("deleted")):  # fmt: skip
        whole.delete_document(kind, name)


def _asked_for(job: registry.Document) -> list[str]:
    """What a job's request names: another model or dataset than its spec's."""
    return [value for value in (job.get("request") or {}).values() if isinstance(value, str)]


def _entered(services: Services, response: Response, kind: Inspected, value: registry.Document) -> registry.Document:
    """Have a worker inspect what was just registered, and say where it is."""
    if value["state"] == "inspecting":
        inspect(kind, value["id"], services.store.whole, services.ledger, services.enqueue, anew=True)
    response.headers.update({"Location": f"/v1/{kind}/{value['id']}", **RETRY})
    return value


def _check_blob(services: Services, source: str, pointer: str) -> None:
    scheme, _, sha256 = source.partition(":")
    if scheme != "sha256" or len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise CardError("name the bytes as sha256:HEX, uploaded with PUT /v1/blobs/HEX", pointer=pointer)
    if services.store.blob_size(sha256) is None:
        raise CardError(f"the blob {sha256[:12]} is not stored; upload it with PUT /v1/blobs/{sha256}", pointer=pointer)


def _dataset_id(services: Services, name: str) -> str:
    try:
        return str(registry.document(services.store, "datasets", resolve(services.store, "dataset", name))["id"])
    except NotFoundError as error:
        raise CardError(error.detail, pointer="/dataset") from None


def _check_source(services: Services, source: str, pointer: str) -> None:
    """Refuse what this service may not read: unregistered stores, folders outside of its roots, blobs not there."""
    if source.startswith("store:"):
        name, stores = urlsplit(source).netloc, services.settings.dataset_stores
        if name not in stores:
            known = f"registered are {', '.join(sorted(stores))}" if stores else "none is registered"
            raise CardError(f"there is no dataset store {name!r}; {known} (ATLAS_DATASET_STORES)", pointer=pointer)
    elif source.startswith("file:"):
        _check_place(services, source, pointer)
    else:
        _check_blob(services, source, pointer)


def _check_place(services: Services, source: str, pointer: str) -> None:
    place = Path(unquote(urlsplit(source).path)).resolve()
    roots = [Path(root).resolve() for root in services.settings.dataset_roots]
    if not any(place.is_relative_to(root) for root in roots):
        raise CardError(
            "this service reads no datasets from there; upload a zip with PUT /v1/blobs, or have the operator name the "
            "folder in ATLAS_DATASET_ROOTS",
            pointer=pointer,
        )


def check_ready(
    services: Services, model: str, dataset: str, anchor: str | None = None
) -> tuple[ModelFacts, DatasetFacts, AnchorFacts | None]:
    """What a plan needs of the model, the dataset and the anchor that a request names, by id or alias.

    Raises:
        CardError: One of them is not there.
        ConflictError: One is still being inspected, or the anchor is not published yet.
        InputError: One was refused.
    """
    store = services.store
    try:
        pointer = "/model"
        model_facts = registry.model_facts(store, resolve(store, "model", model))
        pointer = "/dataset"
        dataset_facts = registry.dataset_facts(store, resolve(store, "dataset", dataset))
        pointer = "/anchor"
        fixed = None if anchor is None else registry.anchor_facts(store, resolve(store, "atlas", anchor))
    except NotFoundError as error:
        raise CardError(error.detail, pointer=pointer) from None
    return model_facts, dataset_facts, fixed
