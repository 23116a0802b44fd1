"""An audit on this machine, without a service: the same plan and the same document."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from atlas_core import registry
from atlas_core.audit.audit_plan import plan_audit, resolve
from atlas_core.audit.findings import Audit
from atlas_core.audit.parties import AuditRequest, find_parties
from atlas_core.audit.policy import parse_policy
from atlas_core.audit.remedy import is_model
from atlas_core.registration import register_cards
from atlas_core.reports.formats import FORMATS, render
from atlas_core.reports.summary import summary_files
from atlas_core.run import Progress, processes, run_plan
from atlas_core.settings import Settings
from atlas_core.store import open_store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from atlas_core.plan import Plan
    from atlas_core.store import Store


@dataclass(frozen=True)
class Cards:
    """Cards of what takes part in an audit; see `AuditRequest`."""

    model: Path
    dataset: Path
    base: Path | None = None
    baseline: Path | None = None
    drift: Path | None = None


def audit_directory(
    cards: Cards, options: Mapping[str, Any], out: Path, on_progress: Progress, count: int | None = None
) -> dict[str, Any]:
    """Audit a model into a folder; the same call continues what an earlier one began.

    Args:
        cards: Who takes part.
        options: policy, policy_name, seed and max_minutes of an `AuditRequest`.
        out: The folder: reports, and in `out/.store` blobs and records.
        on_progress: As in `run_plan`.
        count: Processes.

    Returns:
        The document.

    Raises:
        InputError: A card, the policy or the data is bad.
    """
    if "policy" in options:  # before any work
        parse_policy(options["policy"], options.get("policy_name", "policy.toml"))
    folder = out / ".store"
    store = open_store(str(folder))
    with processes(folder, count) as pool:
        ids = pool.submit(_registered, str(folder), cards).result()
        request = AuditRequest(**ids, **options)
        parties = find_parties(store, request)
        planned = plan_audit(resolve(request, parties, datetime.now(UTC).date()), parties)
        registry.add_job(store, planned)
        registry.put_plan(store, planned)  # a finished audit made anew by a newer version has other chunks
        run_plan(planned, store, pool, on_progress)
    document, blobs = read_audit(store, planned)
    registry.update(store, "jobs", planned.id, state="succeeded", digest=document["digest"])
    _write(out, document, blobs)
    return document


def _registered(store: str, cards: Cards) -> dict[str, str]:
    """Register all that takes part; gives the ids by the fields of an `AuditRequest`."""
    opened, stores = open_store(store), Settings().dataset_stores
    model, dataset = register_cards(opened, cards.model, cards.dataset, stores)
    ids = {"model": model, "dataset": dataset}
    if cards.baseline is not None:
        ids["baseline"] = register_cards(opened, cards.baseline, cards.dataset, stores)[0]
    for name, card in (("base", cards.base), ("drift", cards.drift)):
        if card is not None:
            ids[name] = register_cards(opened, cards.model, card, stores)[1]
    return ids


def read_audit(store: Store, plan: Plan) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The document of an audit that is done, and the pictures and repaired models that it names.

    Args:
        store: Holds the records.
        plan: The audit's.
    """
    last = plan.chunks[-1]
    record = store.get_record(last.stage, last.key) or {}
    blobs = {name: store.get_blob(sha256) for name, sha256 in record["blobs"].items()}
    return dict(json.loads(blobs.pop("description"))), blobs


def _write(out: Path, document: dict[str, Any], blobs: Mapping[str, bytes]) -> None:
    audit = Audit.model_validate(document)
    repaired = {name: data for name, data in blobs.items() if is_model(name)}
    pictures = {name: data for name, data in blobs.items() if name not in repaired}
    files = {form.file: render(audit, name, pictures) for name, form in FORMATS.items()}
    for name, data in {**files, **summary_files(audit, pictures), **repaired}.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(data)
