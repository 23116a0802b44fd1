"""An atlas of 25,600 cells in a store of its own: samples, cells and names are real, what would take hours is made up.

A layout by rank of the two widest directions fills every cell. In the place of icons each cell has its nearest real
patch; a sample adds to every class its part of what its image's logit has above their mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from atlas_core import registry, tables
from atlas_core.build import plan
from atlas_core.keys import digest
from atlas_core.mapping import TILE_SIDE
from atlas_core.marks import MEASURES
from atlas_core.pyramid import compose_tile, tile_shape
from atlas_core.registration import register_cards
from atlas_core.runtime import Runtime
from atlas_core.spec import parse_spec
from atlas_core.stages import run_chunk
from atlas_core.store import Store, open_store

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from atlas_core.plan import Chunk, Plan

SIDES, SAMPLES, ICON = (20, 40, 80, 160), 102_400, 64


def made(model: Path, dataset: Path, layer: str, folder: Path) -> Plan:
    """The plan of the atlas; what the folder's store has of it is kept."""
    store = open_store(str(folder))
    model_id, dataset_id = register_cards(store, model, dataset, {})
    spec = parse_spec({
        "model": model_id, "dataset": dataset_id, "layers": [layer], "samples": SAMPLES, "levels": list(SIDES),
        "allow_sparse": True, "preview": "none", "layout": {"landmarks": 2 * SAMPLES},
    })  # fmt: skip
    planned = plan(spec, registry.model_facts(store, model_id), registry.dataset_facts(store, dataset_id))
    registry.add_job(store, planned, "25,600 cells")
    runtime = Runtime(store)
    for number, chunk in enumerate(planned.chunks):
        if not store.has_record(chunk.stage, chunk.key):
            _run(planned, chunk, runtime)
            print(
                f"{number + 1} of {len(planned.chunks)}: {chunk.stage} {chunk.parameters.get('step', '')}", flush=True
            )
    done = store.get_record("publish", planned.chunks[-1].key)
    registry.update(store, "jobs", planned.id, state="succeeded", digest=(done or {})["info"]["digest"])
    return planned


def _run(planned: Plan, chunk: Chunk, runtime: Runtime) -> None:
    if chunk.is_tile:
        _draw(planned, chunk, runtime)
    elif chunk.stage == "layout":
        _lay_out(planned, chunk, runtime)
    elif chunk.stage == "attribute":
        _attribute(planned, chunk, runtime)
    else:
        run_chunk(planned, chunk, runtime)


def _keep(store: Store, chunk: Chunk, blobs: dict[str, bytes], info: dict[str, Any]) -> None:
    kept = {name: store.put_blob(data) for name, data in blobs.items()}
    store.put_record(chunk.stage, chunk.key, {
        "stage": chunk.stage, "parameters": chunk.parameters, "inputs": list(chunk.inputs), "blobs": kept, "info": info,
    })  # fmt: skip


def _lay_out(planned: Plan, chunk: Chunk, runtime: Runtime) -> None:
    """Columns by rank of the widest direction, rows by rank of the next one within each column."""
    if chunk.parameters["step"] == "neighbours":
        _keep(runtime.store, chunk, {}, {})
        return
    records = [runtime.record(planned, shard.key) for shard in planned.find("collect")]
    shards = [runtime.table(record["blobs"][f"layer {chunk.parameters['layer']}"]) for record in records]
    samples = tables.concatenate(
        [{name: shard[name] for name in ("activations", "image", "point")} for shard in shards]
    )
    rows = samples["activations"].astype(np.float32)
    widest = np.linalg.eigh(np.cov(rows, rowvar=False))[1][:, :-3:-1]
    across, up = (rows @ widest).T
    x = _ranks(across)
    y = np.empty_like(x)
    for strip in range(SIDES[-1]):
        within = np.flatnonzero((x * SIDES[-1]).astype(int) == strip)
        y[within] = _ranks(up[within])
    points = np.stack([x, y], axis=1).astype(np.float32)
    table = {"layout": points, "points": points, "image": samples["image"], "point": samples["point"],
             "window": np.array([0, 0, 1, 1], np.float32)}  # fmt: skip
    _keep(runtime.store, chunk, {"layout": tables.pack(table)}, {"clamped": 0, "seed": planned.spec.seed})


def _attribute(planned: Plan, chunk: Chunk, runtime: Runtime) -> None:
    blobs = runtime.record(planned, chunk.inputs[0])["blobs"]
    images, samples = runtime.table(blobs["images"]), runtime.table(blobs[f"layer {chunk.parameters['layer']}"])
    _, place, count = np.unique(samples["image"], return_inverse=True, return_counts=True)
    logits = images["logits"][np.searchsorted(images["image"], samples["image"])]
    added = (logits - logits.mean(axis=1, keepdims=True)) / count[place][:, None]
    _keep(runtime.store, chunk, {"attributions": tables.pack({"attributions": added.astype(np.float16)})},
          {"method": "jvp"})  # fmt: skip


def _ranks(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where each value stands among all, in (0, 1)."""
    return (np.argsort(np.argsort(values)) + 0.5) / len(values)


def _draw(planned: Plan, chunk: Chunk, runtime: Runtime) -> None:
    """A tile of each cell's first exemplar, and measures at random."""
    layer, side, x, y = (chunk.parameters[name] for name in ("layer", "side", "x", "y"))
    record = runtime.record(planned, planned.cells_of(layer).key)
    level = runtime.table(record["blobs"][f"level-{side}"])
    with runtime.store.open_blob(record["blobs"][f"exemplars-{side}"]) as file:
        thumbnails = tables.open_table(file)["thumbnails"]
        columns, rows = level["column"], level["row"]
        within = np.flatnonzero((columns // TILE_SIDE == x) & (rows // TILE_SIDE == y))
        patches = [Image.fromarray(thumbnails[cell, 0]) for cell in within]
    icons = np.stack([np.asarray(patch.resize((ICON, ICON), Image.Resampling.BICUBIC)) for patch in patches])
    places = np.stack([columns[within] % TILE_SIDE, rows[within] % TILE_SIDE], axis=1)
    random = np.random.default_rng(int(digest([side, x, y])[:8], 16))
    metrics: dict[str, NDArray[Any]] = {
        name: random.uniform(0.2, 0.9, len(within)).astype(np.float32) for name in MEASURES
    }
    metrics |= {
        "cell": within, "retrieval_rank": random.integers(0, 3, len(within)),
        "high_frequency": metrics["high_frequency"] * 0.12, "exemplar_contrast": level["exemplar_contrast"][within],
    }  # fmt: skip
    tile = compose_tile(icons, places, *tile_shape(side, x, y))
    _keep(runtime.store, chunk, {"tile": tile, "metrics": tables.pack(metrics)}, {"icons": len(within), "size": ICON})
