"""How far a job is, by stage, in chunks."""

from __future__ import annotations

from typing import Any

from atlas_core.advance import recorded
from atlas_core.build import STAGES, Plan
from atlas_core.ledger import ChunkState, Ledger
from atlas_core.registry import Document
from atlas_core.store import Store

DONE = ChunkState("done", 0, None, None)
WAITING = ChunkState("waiting", 0, None, None)


def progress_of(job: Document, plan: Plan, store: Store, ledger: Ledger) -> dict[str, dict[str, Any]]:
    """Chunks done, running and in all of each stage that a job has, in order.

    A job that has succeeded needs no Redis; where the ledger knows nothing of one, the store is asked.
    """
    states = _states(job, plan, store, ledger)
    found: dict[str, dict[str, Any]] = {}
    for stage in STAGES:
        mine = [states[chunk.key] for chunk in plan.chunks if chunk.stage == stage]
        if mine:
            done = sum(state.state == "done" for state in mine)
            running = [state for state in mine if state.state == "leased"]
            parts = sum(state.progress[0] / max(1, state.progress[1]) for state in running if state.progress)
            found[stage] = {
                "done": done,
                "running": len(running),
                "total": len(mine),
                "fraction": round(min(1.0, (done + parts) / len(mine)), 4),
            }
    return found


def _states(job: Document, plan: Plan, store: Store, ledger: Ledger) -> dict[str, ChunkState]:
    keys = list(plan.by_key)
    if job["state"] == "succeeded":
        return dict.fromkeys(keys, DONE)
    if ledger.primed(plan.id):
        return dict(zip(keys, ledger.states(keys), strict=True))
    done = set(recorded(plan, store))
    return {key: DONE if key in done else WAITING for key in keys}
