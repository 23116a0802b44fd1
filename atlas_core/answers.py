"""What a folder of an atlas holds beside its artifacts: what a service would answer about classes.

Names of the map's regions, and what every cell adds to every class. They follow from what the atlas is made of, so the
manifest names them and its digest leaves them out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atlas_core.clarity import in_clear_cells
from atlas_core.class_index import ClassIndex
from atlas_core.errors import InputError
from atlas_core.keys import canonical_json
from atlas_core.placenames import all_names, clearly_strongest, names_of_classes, said_by
from atlas_core.search import SampleTable
from atlas_core.tables import unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from atlas_core.plan import Chunk, Plan
    from atlas_core.store import Store


def answers(plan: Plan, store: Store) -> Iterator[tuple[str, bytes]]:
    """The files of a published atlas: path below it, and bytes.

    Args:
        plan: The atlas's.
        store: Holds its records.

    Returns:
        `LAYER/names.json` as the service lists names, none where nothing has a name;
        `LAYER/SIDE/attribution.safetensors` with `attribution` in logits, shape (classes, cells) float16, cells as in
        cells.json.
    """
    for layer in plan.spec.layers:
        told = _blobs(store, plan.classes_of(layer))
        names = _names(plan, store, layer, told)
        if names:
            yield f"{quote(layer, safe='')}/names.json", canonical_json(names)
        for side in plan.spec.levels or ():
            if f"attribution-{side}" in told:
                path = f"{quote(layer, safe='')}/{side}/attribution.safetensors"
                yield path, store.get_blob(told[f"attribution-{side}"])


def _names(plan: Plan, store: Store, layer: str, told: dict[str, str]) -> list[dict[str, Any]]:
    table = SampleTable.from_tables(unpack(store.get_blob(_blobs(store, plan.samples_of(layer))["samples"])))
    try:
        said = said_by(table, _strongest(plan, store, layer, told, table))
    except InputError:  # no labels, no classes
        return []
    return all_names(table, said, names_of_classes(plan, int(said.max()) + 1))


def _strongest(
    plan: Plan, store: Store, layer: str, told: dict[str, str], table: SampleTable
) -> NDArray[np.int32] | None:
    """The class that each sample adds most to, by its number; `NONE` in cells without a clear class."""
    if "index" not in told:
        return None
    side = max(plan.spec.levels or ())
    level = unpack(store.get_blob(_blobs(store, plan.cells_of(layer))[f"level-{side}"]))
    attribution = unpack(store.get_blob(told[f"attribution-{side}"]))["attribution"]
    clear = in_clear_cells(table.layout, side, level, attribution)
    return clearly_strongest(ClassIndex.from_tables(unpack(store.get_blob(told["index"]))), table, clear)


def _blobs(store: Store, chunk: Chunk) -> dict[str, str]:
    record = store.get_record(chunk.stage, chunk.key)
    return {} if record is None else dict(record["blobs"])
