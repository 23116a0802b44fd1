"""Models, datasets and jobs as documents in the store: what must survive, and nothing that loads torch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from atlas_core.cards import DatasetCard, ModelCard
from atlas_core.errors import ConflictError, InputError, NotFoundError
from atlas_core.facts import AnchorFacts, AnchorLayer, DatasetFacts, ModelFacts
from atlas_core.keys import digest
from atlas_core.owners import EVERYBODY, owners_of, owners_with
from atlas_core.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from atlas_core.store import Store

Kind = Literal["models", "datasets", "jobs"]
Document = dict[str, Any]


def now() -> str:
    """The time as RFC 3339 in UTC."""
    return rfc3339(datetime.now(UTC))


def rfc3339(moment: datetime) -> str:
    """A time in UTC as RFC 3339."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def dataset_id(card: DatasetCard, content: str) -> str:
    """Id of a dataset: what it is made of, not where it lies.

    Args:
        card: The resolved card.
        content: Digest of its content: of the archive's bytes, or of the listing of a folder.
    """
    return digest({"content": content, "prefix": card.prefix, "classes": card.classes})[:24]


def add_model(store: Store, card: ModelCard, dataset: str | None = None, owner: str = EVERYBODY) -> Document:
    """Register a model; the same content gets the same id, and a ready one stays as it is.

    Args:
        store: Where the document goes.
        card: A resolved card.
        dataset: Id of a labelled dataset on which to measure accuracy; of a model that others registered too, theirs
            stays.
        owner: Who registers it, and is one of its owners from now on.
    """
    known = store.get_document("models", card.id)
    if (
        known
        and known["state"] != "refused"
        and (dataset is None or known["evaluate_on"] == dataset or owners_of(known) - {owner})
    ):
        return claim(store, "models", known, owner)
    value: Document = {
        "id": card.id, "name": card.name, "card": card.model_dump(mode="json"), "state": "inspecting", "reasons": [],
        "warnings": [], "layers": [], "classes": None, "accuracy": None, "convertible": None, "evaluate_on": dataset,
        "created": known["created"] if known else now(), "owners": owners_with(known, owner),
    }  # fmt: skip
    store.append_document("models", card.id, value)
    return value


def add_dataset(store: Store, card: DatasetCard, content: str, owner: str = EVERYBODY) -> Document:
    """Register a dataset; the same content gets the same id, and a ready one stays as it is.

    Args:
        store: Where the document goes.
        card: A resolved card.
        content: As in `dataset_id`.
        owner: Who registers it, and is one of its owners from now on.
    """
    name = dataset_id(card, content)
    known = store.get_document("datasets", name)
    if known and known["state"] != "refused" and (known["card"]["source"] == card.source or owners_of(known) - {owner}):
        return claim(store, "datasets", known, owner)
    value: Document = {
        "id": name, "name": card.name, "card": card.model_dump(mode="json"), "state": "inspecting", "reasons": [],
        "digest": None, "listing": None, "images": 0, "classes": None, "class_counts": None, "skipped": [],
        "created": known["created"] if known else now(), "owners": owners_with(known, owner),
    }  # fmt: skip
    store.append_document("datasets", name, value)
    return value


def document(store: Store, kind: Kind, name: str) -> Document:
    """The newest version of a document.

    Raises:
        NotFoundError: There is none of this name.
    """
    found = store.get_document(kind, name)
    if found is None:
        raise NotFoundError(f"there is no {kind[:-1]} {name!r} here; list /v1/{kind} for those there are")
    return found


def documents(store: Store, kind: Kind) -> list[Document]:
    """The newest version of every document of a kind, in order of creation."""
    return sorted(store.get_documents(kind), key=lambda value: (value["created"], value["id"]))


def update(store: Store, kind: Kind, name: str, **changes: Any) -> Document:
    """Write a new version of a document with some fields changed; what others change meanwhile is kept."""
    return change(store, kind, name, lambda _: changes)


def change(store: Store, kind: Kind, name: str, changes: Callable[[Document], Document]) -> Document:
    """Write a new version of a document with fields changed by what they are; nothing changed writes none.

    Args:
        store: Holds it.
        kind: Of the document.
        name: Its id.
        changes: Gives the fields to change, from the newest version; called again where another came between.

    Raises:
        NotFoundError: There is none of this name.
    """
    while True:
        number = max(store.document_versions(kind, name), default=-1)
        found = store.get_version(kind, name, number) if number >= 0 else None
        if found is None:
            found = document(store, kind, name)  # trimmed or deleted between the two looks
            continue
        value = {**found, **changes(found)}
        if value == found or store.create_version(kind, name, number + 1, value):
            return value


def claim(store: Store, kind: Kind, known: Document, owner: str) -> Document:
    """Have somebody be an owner of a model or dataset too."""
    if owner in owners_of(known):
        return known
    return change(store, kind, known["id"], lambda newest: {"owners": owners_with(newest, owner)})


def disown(store: Store, kind: Kind, name: str, owner: str | None) -> frozenset[str]:
    """Have somebody be no owner of a model or dataset any more; None for nobody be. Returns those that are left."""
    left = change(
        store, kind, name, lambda newest: {"owners": [] if owner is None else sorted(owners_of(newest) - {owner})}
    )
    return owners_of(left)


def _ready(store: Store, kind: Kind, name: str) -> Document:
    value = document(store, kind, name)
    if value["state"] == "inspecting":
        raise ConflictError(f"the {kind[:-1]} {name} is still being inspected; ask again when its state is ready")
    if value["state"] == "refused":
        raise InputError(f"the {kind[:-1]} {name} was refused: {'; '.join(value['reasons'])}")
    return value


def model_facts(store: Store, name: str) -> ModelFacts:
    """What a plan needs of a model.

    Raises:
        NotFoundError: It is not registered.
        ConflictError: It is still being inspected.
        InputError: It was refused.
    """
    value = _ready(store, "models", name)
    return ModelFacts(
        id=value["id"],
        card=ModelCard(**value["card"]),
        layers=value["layers"],
        classes=value["classes"],
        unconvertible=value["reasons"] if value["convertible"] is False else [],
    )


def dataset_facts(store: Store, name: str) -> DatasetFacts:
    """What a plan needs of a dataset.

    Raises:
        NotFoundError: It is not registered.
        ConflictError: It is still being listed.
        InputError: It was refused.
    """
    value = _ready(store, "datasets", name)
    fields = ("id", "digest", "name", "listing", "images", "classes", "class_counts")
    return DatasetFacts(**{field: value[field] for field in fields})


def anchor_facts(store: Store, name: str) -> AnchorFacts:
    """What a plan needs of the atlas that it is anchored on.

    Raises:
        NotFoundError: There is no such atlas.
        ConflictError: It is not published yet.
    """
    job = document(store, "jobs", name)
    if job.get("deleted") or job["kind"] != "atlas":
        raise NotFoundError(f"there is no atlas {name!r} here to anchor on; list /v1/atlases for those there are")
    if job["state"] != "succeeded":
        raise ConflictError(f"the atlas {name} is {job['state']}; anchor on it once it has succeeded")
    held = plan_of(store, job["id"])
    layers = {
        layer: AnchorLayer(
            channels=held.model.layer(layer).shape[0],
            neighbours=held.find("layout", layer=layer, step="neighbours")[0].key,
            layout=held.layout_of(layer).key,
        )
        for layer in held.spec.layers
    }
    return AnchorFacts(
        id=job["id"], model=held.model.id, dataset=held.dataset.digest, seed=held.spec.seed,
        collected=[chunk.key for chunk in held.find("collect")], layers=layers,
    )  # fmt: skip


def asked_of(store: Store, atlas: str, kind: str | None = None) -> list[Document]:
    """The jobs that were asked of an atlas and not dropped, of all kinds or of one, in order of creation."""
    return [job for job in documents(store, "jobs")
            if job.get("atlas") == atlas and kind in (None, job["kind"]) and not job.get("deleted")]  # fmt: skip


FOLDERS = {"selection": "selections"}
"""Where what is asked of an atlas lies below it in the API, if not under its kind."""
APART = {"atlas": "/v1/atlases", "comparison": "/v1/comparisons", "audit": "/v1/audits"}
"""Where jobs lie that are not below an atlas."""


def is_map(job: Document) -> bool:
    """Whether a job makes a map: an atlas, a selection of its samples, or a comparison of two classes."""
    return job["kind"] in ("atlas", "selection") or (
        job["kind"] == "comparison" and job["request"]["kind"] == "classes"
    )


def address_of(job: Document) -> str:
    """Path of a job's result in the API."""
    kind = job["kind"]
    folder = APART.get(kind) or f"/v1/atlases/{job['atlas']}/{FOLDERS.get(kind, kind)}"
    return f"{folder}/{job['id']}"


def put_plan(store: Store, plan: Plan) -> None:
    """Keep a plan under its atlas's id, unless it is the newest there already."""
    value = plan.model_dump(mode="json")
    if store.get_document("plans", plan.id) != value:
        store.append_document("plans", plan.id, value)


def plan_of(store: Store, atlas: str) -> Plan:
    """The newest plan of an atlas.

    Raises:
        NotFoundError: There is no such atlas.
        ConflictError: Another version planned it, in a form that this one does not read.
    """
    found = store.get_document("plans", atlas)
    if found is None:
        raise NotFoundError(f"there is no atlas {atlas!r} here; list /v1/atlases for those there are")
    try:
        return Plan.model_validate(found)
    except ValidationError:
        raise ConflictError(f"{atlas} was planned by another version, in a form that this one does not read; delete it "
                            "and ask for it again") from None  # fmt: skip


def add_job(store: Store, plan: Plan, name: str | None = None, owner: str = EVERYBODY) -> Document:
    """Enter a job for a plan, which is the owner's; a failed or cancelled one starts its next attempt.

    A job that is queued, running or has succeeded stays as it is, unless it was dropped.
    """
    known = store.get_document("jobs", plan.id)
    if known and not known.get("deleted") and known["state"] in ("queued", "running", "succeeded"):
        return known
    put_plan(store, plan)
    value = {
        "id": plan.id, "kind": plan.kind, "atlas": plan.atlas, "request": plan.request, "name": name,
        "spec": plan.spec.model_dump(mode="json"), "state": "queued",
        "attempt": known["attempt"] + 1 if known else 1, "error": None, "created": now(), "started": None,
        "finished": None, "digest": None, "owner": owner,
    }  # fmt: skip
    store.append_document("jobs", plan.id, value)
    return value
