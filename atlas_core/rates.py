"""What this deployment's chunks really took, over what was expected: kept in the registry, told at each job's end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atlas_core.costs.quantities import Cost, ModelCost
    from atlas_core.plan import Chunk, Plan
    from atlas_core.store import Store

KIND, NAME = "rates", "deployment"
SAMPLED = 16
"""Chunks of a kind that a job's rate is taken from at most: their records are read."""
KEPT = 2_000
"""Kinds of work that are remembered, those measured last."""
LEAST_SECONDS = 0.005
LITTLE_SECONDS = 1.0
"""Work that is too little to tell a rate from."""
ANY = "any"
"""The kind of all work."""

Record = Callable[["Chunk"], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Rate:
    """Measured over expected: seconds, seconds of a processor, bytes."""

    seconds: float = 1.0
    cpu_seconds: float = 1.0
    bytes: float = 1.0

    def blended(self, newer: Rate) -> Rate:
        """Half-way to a newer one, in ratios: machines and their load change."""
        return Rate(
            (self.seconds * newer.seconds) ** 0.5,
            (self.cpu_seconds * newer.cpu_seconds) ** 0.5,
            (self.bytes * newer.bytes) ** 0.5,
        )


Rates = Mapping[str, Rate]


@dataclass(frozen=True)
class Expected:
    """What a chunk is expected to cost here: seconds of a process, seconds of a processor, bytes written."""

    seconds: float
    cpu_seconds: float
    bytes: float


def kinds(plan: Plan, chunk: Chunk) -> tuple[str, ...]:
    """The kinds of work that a chunk belongs to, the most particular first: of this model's layer, of it, of any.

    The last is all work: how fast this machine is.
    """
    name = chunk.called
    if name == "publish manifest":
        return name, ANY
    model = plan.seen_by(chunk).model.id[:16]
    if "layer" not in chunk.parameters:
        return f"{name} {model} {plan.dataset.id[:16]}", f"{name} {model}", name, ANY
    return f"{name} {model} {chunk.parameters['layer']}", f"{name} {model}", name, ANY


def expected(plan: Plan, chunk: Chunk, cost: Cost, rates: Rates) -> Expected:
    """What a chunk is expected to cost here, by the most particular rate known of its kind."""
    rate = next((rates[kind] for kind in kinds(plan, chunk) if kind in rates), Rate())
    return Expected(cost.seconds * rate.seconds, cost.seconds * rate.cpu_seconds, cost.bytes * rate.bytes)


def is_measured(plan: Plan, chunk: Chunk, rates: Rates) -> bool:
    """Whether the rate of work like a chunk's is known, of this model or another."""
    return any(kind in rates for kind in kinds(plan, chunk) if kind != ANY)


def measured(plan: Plan, done: Iterable[Chunk], model: ModelCost, record: Record, sampled: int = SAMPLED) -> Rates:
    """The rates of chunks that are done.

    Args:
        plan: Their plan.
        done: The chunks.
        model: What the model's forward pass takes.
        record: Gives a chunk's record, None where it is gone.
        sampled: Records read of a kind at most, evenly over its chunks.

    Returns:
        By kind; the median over its chunks, so that the first of a process, which loads the model, does not count, and
        the nearer to 1 the less work they were, because of short work the loading of libraries is the larger part.
    """
    from atlas_core.estimate import Estimate  # loads numpy, which the command line's help does without

    estimate = Estimate(plan, model)
    by_kind: dict[tuple[str, ...], list[Chunk]] = {}
    for chunk in done:
        by_kind.setdefault(kinds(plan, chunk), []).append(chunk)
    found: dict[str, list[tuple[Cost, Rate]]] = {}
    for names, chunks in by_kind.items():
        for chunk in chunks[:: -(-len(chunks) // sampled)]:
            cost = (record(chunk) or {}).get("cost")
            if cost:
                base = estimate.cost(chunk)
                for name in names:
                    found.setdefault(name, []).append((base, _rate(cost, base)))
    return {name: _together(rates) for name, rates in found.items()}


def _rate(cost: Mapping[str, float], base: Cost) -> Rate:
    seconds = max(base.seconds, LEAST_SECONDS)
    return Rate(
        max(cost["seconds"], LEAST_SECONDS) / seconds,
        max(cost["cpu_seconds"], LEAST_SECONDS) / seconds,
        max(cost["bytes"], 1) / max(base.bytes, 1),
    )


def _together(rates: list[tuple[Cost, Rate]]) -> Rate:
    whole = sum(base.seconds for base, _ in rates)

    def weighed(ratio: float) -> float:
        return (ratio * whole + LITTLE_SECONDS) / (whole + LITTLE_SECONDS)

    return Rate(
        weighed(median(rate.seconds for _, rate in rates)),
        weighed(median(rate.cpu_seconds for _, rate in rates)),
        median(rate.bytes for _, rate in rates),
    )


def known_rates(store: Store) -> dict[str, Rate]:
    """The rates of this deployment; none of one that has finished no job."""
    value = store.get_document(KIND, NAME) or {}
    return {name: Rate(*rate) for name, rate in value.get("rates", {}).items()}


def learn(plan: Plan, store: Store) -> None:
    """Take what a finished job's chunks took into this deployment's rates; call it under a lock."""
    from atlas_core.costs.quantities import ModelCost

    model = ModelCost.of((store.get_document("models", plan.model.id) or {}).get("cost"))
    new = measured(plan, plan.own, model, lambda chunk: store.get_record(chunk.stage, chunk.key))
    known = known_rates(store)
    for name, rate in new.items():
        known[name] = known.pop(name).blended(rate) if name in known else rate
    kept = list(known.items())[-KEPT:]
    values = [(name, [round(part, 4) for part in (rate.seconds, rate.cpu_seconds, rate.bytes)]) for name, rate in kept]
    store.append_document(KIND, NAME, {"rates": dict(values)})
