"""How long jobs take and what they write, before and while they run."""

from __future__ import annotations

from collections.abc import Collection, Set
from typing import TYPE_CHECKING, Any

from atlas_core.advance import STAGE_QUEUES, TERMINAL, recorded
from atlas_core.costs.quantities import ModelCost
from atlas_core.errors import DependencyError
from atlas_core.estimate import Estimate
from atlas_core.ledger import Worker
from atlas_core.plan import STAGES, Plan, lacking
from atlas_core.rates import Expected, Rates, expected, is_measured, known_rates, measured
from atlas_core.schedule import wall_seconds

if TYPE_CHECKING:
    from atlas_core.registry import Document
    from service.dependencies import Services
    from service.progress import Standing

START_SECONDS = 4.0
"""That a worker's processes take to load their libraries, once."""
SAMPLED = 8


def dry_run(services: Services, plan: Plan) -> Document:
    """What an atlas would take; nothing is written.

    Args:
        services: The store, the ledger, the workers.
        plan: The atlas's.
    """
    done = set(recorded(plan, services.store))
    rates = known_rates(services.store)
    left = _expected(services, plan, done, rates)
    wall = _wall(plan, left, _workers(services), jobs=1)
    if wall is not None and left and not rates:
        wall += START_SECONDS
    stages: dict[str, dict[str, Any]] = {}
    for stage in STAGES:
        if plan.totals[stage]:
            mine = [left[chunk.key] for chunk in plan.find(stage) if chunk.key in left]
            stages[stage] = {
                "total": plan.totals[stage], "done": plan.totals[stage] - len(mine),
                "bytes": round(sum(cost.bytes for cost in mine)),
                "cpu_seconds": round(sum(cost.cpu_seconds for cost in mine), 1),
            }  # fmt: skip
    return {
        "id": plan.id,
        "spec": plan.spec,
        "stages": stages,
        "chunks": len(left),
        "bytes": sum(stage["bytes"] for stage in stages.values()),
        "cpu_seconds": round(sum(cost.cpu_seconds for cost in left.values()), 1),
        "wall_seconds": None if wall is None else round(wall, 1),
        "rates": _told(plan, left, rates),
    }


def _told(plan: Plan, left: Collection[str], rates: Rates) -> str:
    """Where the figures of the chunks that are left come from."""
    known = [is_measured(plan, plan.by_key[key], rates) for key in left]
    if all(known) and rates:
        return "measured"
    return "partly-measured" if any(known) else "assumed"


def eta_seconds(services: Services, job: Document, plan: Plan, now: Standing) -> float | None:
    """Seconds until a job ends, by what its own chunks took so far; None where nobody can say, or it has ended."""
    if job["state"] in TERMINAL:
        return None
    done = {key for key, state in now.states.items() if state == "done"}
    own = measured(plan, (plan.by_key[key] for key in now.states if key in done), _model_cost(services, plan),
                   services.artifacts.record, SAMPLED)  # fmt: skip
    left = {
        key: cost if key not in now.shares else _rest(cost, *now.shares[key])
        for key, cost in _expected(services, plan, done, {**known_rates(services.store), **own}).items()
    }
    try:
        jobs = sum("/" not in name for name in services.ledger.active())
        wall = _wall(plan, left, services.ledger.workers(), jobs=jobs)
    except DependencyError:
        return None
    return None if wall is None else round(wall, 1)


def _rest(cost: Expected, done: int, total: int) -> Expected:
    share = max(0.0, 1 - done / max(1, total))
    return Expected(cost.seconds * share, cost.cpu_seconds * share, cost.bytes)


def _model_cost(services: Services, plan: Plan) -> ModelCost:
    return ModelCost.of((services.store.get_document("models", plan.model.id) or {}).get("cost"))


def _expected(services: Services, plan: Plan, done: Set[str], rates: Rates) -> dict[str, Expected]:
    """What each chunk that has yet to run is expected to cost."""
    estimate = Estimate(plan, _model_cost(services, plan))
    return {chunk.key: expected(plan, chunk, estimate.cost(chunk), rates) for chunk in lacking(plan, done)}


def _workers(services: Services) -> list[Worker]:
    try:
        return services.ledger.workers()
    except DependencyError:
        return []


def _wall(plan: Plan, left: dict[str, Expected], workers: list[Worker], *, jobs: int) -> float | None:
    """With this job's share of the workers' processes, at least one of each worker."""
    done = plan.by_key.keys() - left.keys()
    shared = [Worker(worker.id, worker.queues, max(1, worker.processes // max(1, jobs))) for worker in workers]
    seconds = {key: cost.seconds for key, cost in left.items()}
    return wall_seconds(plan, done, seconds, shared, STAGE_QUEUES.__getitem__)
