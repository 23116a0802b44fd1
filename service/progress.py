"""How far a job is, by stage, in chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from atlas_core.advance import recorded
from atlas_core.chunk_ledger import State
from atlas_core.ledger import Ledger
from atlas_core.plan import STAGES, Plan
from atlas_core.registry import Document
from atlas_core.store import Store


@dataclass(frozen=True)
class Standing:
    """How each chunk of a job stands: its state by key, and (done, total) of those that run and tell."""

    states: dict[str, State]
    shares: dict[str, tuple[int, int]]


def standing(job: Document, plan: Plan, store: Store, ledger: Ledger) -> Standing:
    """How a job's chunks stand.

    A job that has succeeded needs no Redis; where the ledger knows nothing of one, the store is asked.
    """
    keys = list(plan.by_key)
    if job["state"] == "succeeded":
        return Standing(dict.fromkeys(keys, "done"), {})
    if ledger.primed(plan.id):
        states, shares = ledger.overview(keys)
        return Standing(dict(zip(keys, states, strict=True)), shares)
    done = set(recorded(plan, store))
    return Standing({key: "done" if key in done else "waiting" for key in keys}, {})


def progress_of(plan: Plan, now: Standing) -> dict[str, dict[str, Any]]:
    """Chunks done, running and in all of each stage that a job has, in order."""
    found: dict[str, dict[str, Any]] = {
        stage: {"done": 0, "running": 0, "total": plan.totals[stage], "fraction": 0.0}
        for stage in STAGES
        if plan.totals[stage]
    }
    for chunk in plan.own:
        mine, state = found[chunk.stage], now.states[chunk.key]
        mine["done"] += state == "done"
        mine["running"] += state == "leased"
        done, total = now.shares.get(chunk.key, (0, 1))
        mine["fraction"] += 1.0 if state == "done" else min(1.0, done / max(1, total))
    for mine in found.values():
        mine["fraction"] = round(min(1.0, mine["fraction"] / mine["total"]), 4)
    return found
