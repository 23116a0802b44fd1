"""How far a job is, by stage, in chunks."""

from __future__ import annotations

from typing import Any

from atlas_core.advance import recorded
from atlas_core.build import STAGES, Plan
from atlas_core.ledger import Ledger, State
from atlas_core.registry import Document
from atlas_core.store import Store


def progress_of(job: Document, plan: Plan, store: Store, ledger: Ledger) -> dict[str, dict[str, Any]]:
    """Chunks done, running and in all of each stage that a job has, in order.

    A job that has succeeded needs no Redis; where the ledger knows nothing of one, the store is asked.
    """
    states, shares = _known(job, plan, store, ledger)
    found: dict[str, dict[str, Any]] = {}
    for stage in STAGES:
        mine = [(chunk.key, state) for chunk, state in zip(plan.chunks, states, strict=True) if chunk.stage == stage]
        if mine:
            done = sum(state == "done" for _, state in mine)
            running = [key for key, state in mine if state == "leased"]
            parts = sum(part / max(1, total) for part, total in (shares[key] for key in running if key in shares))
            found[stage] = {
                "done": done,
                "running": len(running),
                "total": len(mine),
                "fraction": round(min(1.0, (done + parts) / len(mine)), 4),
            }
    return found


def _known(job: Document, plan: Plan, store: Store, ledger: Ledger) -> tuple[list[State], dict[str, tuple[int, int]]]:
    keys = list(plan.by_key)
    if job["state"] == "succeeded":
        return ["done"] * len(keys), {}
    if ledger.primed(plan.id):
        return ledger.overview(keys)
    done = set(recorded(plan, store))
    return ["done" if key in done else "waiting" for key in keys], {}
