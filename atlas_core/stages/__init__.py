"""What each chunk of a plan does: read records, call the method, write blobs and, last, the chunk's own record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas_core.errors import VersionError
from atlas_core.plan import VERSIONS
from atlas_core.scratch import scratch

if TYPE_CHECKING:
    from atlas_core.plan import Chunk, Plan
    from atlas_core.runtime import Runtime
    from atlas_core.store import Store


def run_chunk(
    plan: Plan, chunk: Chunk, runtime: Runtime, on_progress: Callable[[int, int], None] | None = None
) -> Mapping[str, Any] | None:
    """Run one chunk; does nothing where its record exists.

    Args:
        plan: The plan it belongs to.
        chunk: The chunk; the records of its inputs exist.
        runtime: Store, models and datasets.
        on_progress: Called with (done, total) in units of the chunk; cancels by raising.

    Returns:
        What the new record says of what was made, None where there was a record.

    Raises:
        InputError: The data or the model is bad: trying again does not help.
        VersionError: It is of another version of its stage, or of a stage that this version does not have.
        MissingInputError: What another chunk had made is gone or damaged; names that chunk, which is no longer done.
        AtlasError: Anything else that is known to go wrong.
    """
    from atlas_core.stages.audit import publish_audit
    from atlas_core.stages.base import look_at_base
    from atlas_core.stages.beside import compare
    from atlas_core.stages.classes import tell_classes
    from atlas_core.stages.comparable import measure_twins
    from atlas_core.stages.confirming import confirm
    from atlas_core.stages.confusions import tell_confusions
    from atlas_core.stages.coupled import lay_together
    from atlas_core.stages.drift import land, publish_drift
    from atlas_core.stages.icons import publish_icons, render_pictures
    from atlas_core.stages.landmarks import join, place
    from atlas_core.stages.maps import build_index, find_neighbours, lay_out, make_cells
    from atlas_core.stages.novelty import learn_novelty, pass_copies
    from atlas_core.stages.patches import paste_part, publish_patches
    from atlas_core.stages.pictures import preview_tile, publish_level, publish_manifest, render_tile
    from atlas_core.stages.projections import project_part, publish_projections
    from atlas_core.stages.properties import give, give_again, publish_properties
    from atlas_core.stages.quality import publish_quality
    from atlas_core.stages.regions import land_base, publish_regions
    from atlas_core.stages.remedy import publish_remedies, remedy
    from atlas_core.stages.repair import repairing
    from atlas_core.stages.samples import tabulate
    from atlas_core.stages.selections import compare_classes, select
    from atlas_core.stages.shortcuts import publish_shortcuts, screen
    from atlas_core.stages.step import Step
    from atlas_core.stages.strays import search
    from atlas_core.stages.traits import describe_traits
    from atlas_core.stages.vectors import attribute, collect
    from atlas_core.stages.versions import compare_layer, publish_versions

    steps = {
        "collect": collect,
        "collect select": select,
        "attribute": attribute,
        "layout neighbours": find_neighbours,
        "layout optimise": lay_out,
        "layout place": place,
        "layout join": join,
        "layout twins": measure_twins,
        "layout coupled": lay_together,
        "layout compare": compare_classes,
        "cells": make_cells,
        "cells classes": tell_classes,
        "publish index": build_index,
        "publish samples": tabulate,
        "publish quality": publish_quality,
        "publish confusions": tell_confusions,
        "publish copies": pass_copies,
        "publish novelty": learn_novelty,
        "preview": preview_tile,
        "render": render_tile,
        "render beside": compare,
        "publish level": publish_level,
        "publish manifest": publish_manifest,
        "render pictures": render_pictures,
        "publish icons": publish_icons,
        "publish landings": land,
        "publish drift": publish_drift,
        "publish version": compare_layer,
        "publish versions": publish_versions,
        "publish base": look_at_base,
        "publish landed": land_base,
        "publish regions": publish_regions,
        "publish traits": describe_traits,
        "publish give": give,
        "publish give again": give_again,
        "publish properties": publish_properties,
        "publish audit": publish_audit,
        "publish screen": screen,
        "publish search": search,
        "publish confirm": confirm,
        "publish shortcuts": publish_shortcuts,
        "publish remedy": remedy,
        "publish remedies": publish_remedies,
        "publish pasted": paste_part,
        "publish patches": publish_patches,
        "publish projected": project_part,
        "publish projections": publish_projections,
    }
    store = runtime.store
    if store.has_record(chunk.stage, chunk.key):
        return None
    name = chunk.called
    if name not in steps or chunk.version != VERSIONS[chunk.stage]:
        raise VersionError(f"{name} of version {chunk.version} is for workers of another version; start some, and "
                           "stop those of this one when their jobs are done")  # fmt: skip
    began, cpu_began = time.monotonic(), time.process_time()
    with scratch() as folder:
        with repairing(plan, runtime):
            seen = plan.seen_by(chunk)
            output = steps[name](Step(seen, chunk, runtime, on_progress or (lambda done, total: None), folder))
        blobs = {name: _put(store, data) for name, data in output.blobs.items()}
        store.put_record(
            chunk.stage,
            chunk.key,
            {
                "stage": chunk.stage,
                "parameters": chunk.parameters,
                "inputs": list(chunk.inputs),
                "blobs": blobs,
                "info": output.info,
                # Only estimates read the cost; nothing that has a digest does, for it differs from run to run.
                "cost": {
                    "seconds": round(time.monotonic() - began, 3),
                    "cpu_seconds": round(time.process_time() - cpu_began, 3),
                    "bytes": sum(map(_size, output.blobs.values())),
                },
            },
        )
        _secure(store, blobs, output.blobs)
        return output.info


def _put(store: Store, data: bytes | Path) -> str:
    return store.put_blob_file(data) if isinstance(data, Path) else store.put_blob(data)


def _size(data: bytes | Path) -> int:
    return data.stat().st_size if isinstance(data, Path) else len(data)


def _secure(store: Store, named: Mapping[str, str], data: Mapping[str, bytes | Path]) -> None:
    """Store blobs again that are gone: those that were there already may just have been collected as garbage.

    From the record on they are safe; the garbage collection looks after records that are written while it deletes.
    """
    for name, sha256 in named.items():
        if store.blob_size(sha256) is None:
            _put(store, data[name])
