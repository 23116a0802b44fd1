"""Both halves of a coupled map, as a page beside it reads them: its cells, and which samples are twins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.errors import NotFoundError
from atlas_core.layout.twins import twins
from atlas_core.versions.halves import NONE, Answers, half_cells
from service.versions import NOT_COMPLETE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core import tables
    from atlas_core.plan import Chunk, Plan
    from service.dependencies import Services

HALVES = ("old", "new")
DIGITS = 5


def points_table(services: Services, plan: Plan, n: int) -> tables.Table:
    """The points of both halves of a layer's map, with image and point of each.

    Raises:
        NotFoundError: There is no such layer, or it is not complete.
    """
    return services.artifacts.table(_record(services, plan, n)["blobs"]["points"])


def twins_of(services: Services, plan: Plan, n: int) -> NDArray[np.int32]:
    """The place in the new half of each of the old half's samples, -1 where there is none; raises as `points_table`."""
    table = points_table(services, plan, n)
    return twins(*(table[f"{which} {name}"] for which in HALVES for name in ("image", "point"))).astype(np.int32)


def told_cells(services: Services, plan: Plan, n: int) -> dict[str, Any]:
    """The filled cells of both halves; raises as `points_table`."""
    table, chunk = points_table(services, plan, n), _chunk(plan, n)
    side = int(chunk.parameters["side"])
    answers, names = _answers(services, plan, chunk)
    told: dict[str, Any] = {"side": side}
    for which in HALVES:
        found = half_cells(table[which], table[f"{which} image"], side, answers)
        told[which] = {name: _numbers(values) for name, values in found._asdict().items()}
        told[which]["common"] = [_named(names, index) for index in found.common.tolist()]
    return told


def _chunk(plan: Plan, n: int) -> Chunk:
    chunks = plan.find("publish", step="version")
    if n >= len(chunks):
        raise NotFoundError(f"this comparison has no layer {n}; it has {len(chunks)}, counted from 0")
    return chunks[n]


def _record(services: Services, plan: Plan, n: int) -> dict[str, Any]:
    record = services.artifacts.record(_chunk(plan, n))
    if record is None:
        raise services.artifacts.missing(plan, NOT_COMPLETE)
    return record


def _answers(services: Services, plan: Plan, chunk: Chunk) -> tuple[Answers, list[str]]:
    """What is known of every image, and what its classes are called."""
    label, *tops = (np.full(plan.dataset.images, NONE, dtype=np.int64) for _ in range(3))
    shards = [plan.by_key[key] for key in chunk.inputs if plan.by_key[key].stage == "collect"]
    models = plan.model.id, plan.others[0].model.id
    for shard in shards:
        record = services.artifacts.record(shard)
        if record is None:
            raise services.artifacts.missing(plan, "the images are looked at again")
        if "images" not in record["blobs"]:
            continue
        table, model = services.artifacts.table(record["blobs"]["images"]), plan.seen_by(shard).model.id
        label[table["image"]] = table["label"]
        for top, own in zip(tops, models, strict=True):
            if own == model and "logits" in table:
                top[table["image"]] = table["logits"].argmax(axis=1)
    labelled = bool((label != NONE).any())
    return Answers(label, *tops), list((plan.dataset.classes or ()) if labelled else plan.model.class_names)


def _named(names: list[str], index: int) -> str | None:
    if index == NONE:
        return None
    return names[index] if index < len(names) else str(index)


def _numbers(values: NDArray[Any]) -> list[Any]:
    """Numbers for JSON, null for what is not known."""
    if np.issubdtype(values.dtype, np.integer):
        return list(values.tolist())
    return [round(value, DIGITS) if value == value else None for value in values.tolist()]
