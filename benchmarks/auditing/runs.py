"""The audit of one network, through the code of the audit job, and what of it the table needs."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas_core import registry
from atlas_core.audit.audit_plan import plan_audit, resolve
from atlas_core.audit.local import read_audit
from atlas_core.audit.parties import AuditRequest, find_parties
from atlas_core.registration import register_cards
from atlas_core.runtime import Runtime
from atlas_core.stages import run_chunk
from atlas_core.store import open_store

if TYPE_CHECKING:
    from benchmarks.auditing.cases import Case

POLICY = """\
[audit]
checks = ["shortcuts", "properties"]
samples = 6_000
side = 12
icons = "none"
"""
"""What differs from the policy that ships; layers, thresholds and options of checks are that one's."""
RESULTS = "audit.json"


def audit(case: Case, out: Path) -> dict[str, Any]:
    """Audit a network that is trained, and keep what came of it; does nothing where that is there.

    Args:
        case: The network.
        out: Folder of all networks.

    Returns:
        Verdict, findings of each check in order, forward passes of each, and seconds of a processor.
    """
    folder = out / case.name
    results = folder / RESULTS
    if not results.is_file():
        scratch = Path(tempfile.mkdtemp(prefix="audit-", dir=folder))
        try:
            document, spent = audited(folder / "model.json", folder / "dataset.json", POLICY, 0, scratch)
        finally:
            shutil.rmtree(scratch)
        results.write_text(json.dumps({**_told(document), "seconds": spent}, indent=2) + "\n", encoding="utf-8")
    return dict(json.loads(results.read_text(encoding="utf-8")))


def audited(
    model_card: Path, dataset_card: Path, policy: str | None, seed: int, scratch: Path
) -> tuple[dict[str, Any], dict[str, float]]:
    """Audit a model chunk by chunk in this process.

    Args:
        model_card: Of the model.
        dataset_card: Of the pictures.
        policy: Its text, None for the one that ships.
        seed: Of the audit.
        scratch: An empty folder, for what is made on the way.

    Returns:
        The document, and CPU seconds: of the atlas, of each check, of remedies.
    """
    store = open_store(str(scratch))
    runtime = Runtime(store)
    began = time.process_time()
    model, dataset = register_cards(store, model_card, dataset_card)
    named = {} if policy is None else {"policy": policy}
    request = AuditRequest(model=model, dataset=dataset, seed=seed, **named)
    parties = find_parties(store, request)
    made = plan_audit(resolve(request, parties, datetime.now(UTC).date()), parties)
    registry.add_job(store, made)
    spent: dict[str, float] = {"register": time.process_time() - began}
    for chunk in made.chunks:
        began = time.process_time()
        run_chunk(made, chunk, runtime)
        name = _part(chunk.stage, chunk.parameters)
        spent[name] = spent.get(name, 0) + time.process_time() - began
    return read_audit(store, made)[0], {name: round(seconds, 2) for name, seconds in spent.items()}


def _part(stage: str, parameters: dict[str, Any]) -> str:
    """What a chunk's time is counted under."""
    step = str(parameters.get("step", ""))
    if stage != "publish" or step in ("index", "samples"):
        return "atlas"
    return {"screen": "shortcuts", "confirm": "shortcuts", "remedies": "remedy"}.get(step, step)


def _told(document: dict[str, Any]) -> dict[str, Any]:
    return {
        "verdict": document["verdict"],
        "checks": {
            check["check"]: {
                "verdict": check["verdict"], "coverage": check["coverage"], "passes": check["forward_passes"],
                "reason": check["reason"], "noise": check["noise"],
                "findings": [{name: finding[name] for name in ("title", "gate", "layer", "cell", "target", "statistics",
                                                               "remedy")} for finding in check["findings"]],
                "strongest": check["tables"].get("strongest", [])[:5],
            }
            for check in document["checks"]
        },
    }  # fmt: skip
