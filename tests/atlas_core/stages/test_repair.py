from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from atlas_core.advance import repair
from atlas_core.errors import MissingInputError
from atlas_core.manifest import manifest_of
from atlas_core.plan import Plan, lacking
from atlas_core.runtime import Runtime
from atlas_core.stages import run_chunk
from tests.atlas_core.test_gc import ledger, make, store
from tests.tiny import LAYER

if TYPE_CHECKING:
    from atlas_core.ledger import Ledger
    from atlas_core.store import Store

__all__ = ["ledger", "make", "store"]  # fixtures


@pytest.mark.parametrize("damage", ["blob", "record", "bytes"])
def test_a_lost_or_damaged_input_is_made_again(
    make: Callable[..., Plan], store: Store, ledger: Ledger, tmp_path: Path, damage: str
) -> None:
    plan = make()
    expected = manifest_of(plan, store)["digest"]
    cells, publish = plan.cells_of(LAYER), plan.chunks[-1]
    record = store.get_record("cells", cells.key)
    assert record is not None
    sha256 = record["blobs"]["level-3"]
    if damage == "blob":
        store.delete_blob(sha256)
    elif damage == "bytes":
        (tmp_path / "store" / "blobs" / sha256).write_bytes(b"x" * (store.blob_size(sha256) or 0))
    else:
        store.delete_record("cells", cells.key)
    (render,) = plan.find("render", step=None)
    (level,) = plan.find("publish", step="level")
    for chunk in (render, level, publish):
        store.delete_record(chunk.stage, chunk.key)
    ledger.restart(plan.id)
    ledger.mark_done(list(plan.by_key))
    runtime = Runtime(store)
    with pytest.raises(MissingInputError, match="what cells made is gone") as caught:
        run_chunk(plan, render, runtime)
    assert caught.value.chunks == (cells.key,)
    assert store.get_record("cells", cells.key) is None
    repair(plan.id, caught.value.chunks, ledger)
    assert ledger.states([cells.key])[0].state == "waiting"
    for chunk in lacking(plan, {chunk.key for chunk in plan.chunks} - {cells.key, render.key, level.key, publish.key}):
        run_chunk(plan, chunk, runtime)
    assert manifest_of(plan, store)["digest"] == expected
