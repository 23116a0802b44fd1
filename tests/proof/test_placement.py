"""Placement at full size: SqueezeNet's last layer on 20,000 points of photographs."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atlas_core import tables
from atlas_core.binning import assign_cells
from atlas_core.models.preprocessing import read_pixels, to_unit
from atlas_core.projection import Placement, ProjectionIndex
from atlas_core.registry import plan_of
from atlas_core.runtime import Runtime
from atlas_core.store import open_store
from tests.proof.conftest import SEED, Report, built

if TYPE_CHECKING:
    from atlas_core.plan import Plan

pytestmark = pytest.mark.proof
LAYER = "features.12"
FIELDS = ("x", "y", "spread", "ambiguous", "distance", "percentile", "neighbours")
OTHER_PROCESS = """
import hashlib, sys
import numpy as np
from atlas_core import tables
from atlas_core.projection import ProjectionIndex
with open(sys.argv[1], "rb") as file:
    index = ProjectionIndex.from_tables(tables.open_table(file))
placed = index.place(np.load(sys.argv[2]))
for field in sys.argv[3:]:
    print(hashlib.sha256(np.ascontiguousarray(getattr(placed, field)).tobytes()).hexdigest())
sys.stdout.flush()
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def plan_and_runtime(shared: Path, work: Path) -> tuple[Plan, Runtime]:
    """An atlas without icons, and what a worker opens it with."""
    request = {"layers": [LAYER], "samples": 20_000, "levels": [10, 20], "seed": SEED, "recipe": "none"}
    build = built(shared / "imagenet", "dataset.json", request, work / "placement")
    store = open_store(str(build.directory / ".store"))
    return plan_of(store, build.manifest["id"]), Runtime(store)


@pytest.fixture(scope="module")
def index_blob(plan_and_runtime: tuple[Plan, Runtime]) -> Path:
    """The index's file."""
    plan, runtime = plan_and_runtime
    record = runtime.record(plan, plan.find("publish", layer=LAYER, step="index")[0].key)
    with runtime.store.open_blob(record["blobs"]["index"]) as file:
        return Path(file.name)


@pytest.fixture(scope="module")
def index(index_blob: Path) -> ProjectionIndex:
    """The index, mapped."""
    with index_blob.open("rb") as file:
        return ProjectionIndex.from_tables(tables.open_table(file))


@pytest.fixture(scope="module")
def positions(plan_and_runtime: tuple[Plan, Runtime]) -> np.ndarray:
    """All positions of ten photographs turned upside down, so that none is a sample, shape (1690, 512)."""
    plan, runtime = plan_and_runtime
    source, card = runtime.dataset(plan), plan.model.card
    pixels = [read_pixels(source.read(image), card.input)[::-1] for image in source.listing.images[::60][:10]]
    grids = [runtime.model(card).activations(to_unit(one[None]), [LAYER], logits=False)[0][LAYER][0] for one in pixels]
    return np.concatenate([grid.reshape(len(grid), -1).T for grid in grids])


def bytes_of(placed: Placement, row: int) -> list[bytes]:
    return [getattr(placed, name)[row].tobytes() for name in FIELDS]


def test_a_position_is_placed_the_same_alone_in_company_and_in_any_order(
    index: ProjectionIndex, positions: np.ndarray, report: Report
) -> None:
    together = index.place(positions)
    order = np.random.default_rng(0).permutation(len(positions))
    shuffled = index.place(positions[order])
    for place, row in enumerate(order):
        assert bytes_of(shuffled, place) == bytes_of(together, int(row))
    for row in range(0, len(positions), 7):
        assert bytes_of(index.place(positions[row : row + 1]), 0) == bytes_of(together, row)
    in_memory = ProjectionIndex.from_tables({name: np.array(table) for name, table in index.to_tables().items()})
    held = in_memory.place(positions)
    assert [getattr(held, name).tobytes() for name in FIELDS] == [getattr(together, name).tobytes() for name in FIELDS]
    report("placement", positions=len(positions), samples=len(index.images),
           ambiguous=f"{together.ambiguous.mean():.1%}", typical=f"{together.typical_share:.1%}",
           median_spread=f"{np.median(together.spread):.1%}")  # fmt: skip


def test_a_position_stays_in_its_cell_on_another_platform(
    index: ProjectionIndex, positions: np.ndarray, report: Report
) -> None:
    """Other kernels change an activation by some 1e-6 of itself: at least 99 of 100 positions must keep their cell."""
    rng = np.random.default_rng(1)
    cells = partial(_cells, index)
    kept = [(cells(positions) == cells(positions * (1 + rng.uniform(-size, size, positions.shape)))).all(axis=1).mean()
            for size in (1e-6, 1e-5, 1e-4)]  # fmt: skip
    report("same cell of a level of 20", by_1e_6=f"{kept[0]:.2%}", by_1e_5=f"{kept[1]:.2%}", by_1e_4=f"{kept[2]:.2%}")
    assert kept[0] >= 0.99


def _cells(index: ProjectionIndex, activations: np.ndarray) -> np.ndarray:
    placed = index.place(activations)
    return assign_cells(np.stack([placed.x, placed.y], axis=1).astype(np.float32), 20)


def test_workers_share_an_index_and_agree_to_the_byte(
    index: ProjectionIndex, index_blob: Path, positions: np.ndarray, tmp_path: Path, report: Report
) -> None:
    np.save(tmp_path / "positions.npy", positions)
    command = [sys.executable, "-c", OTHER_PROCESS, str(index_blob), str(tmp_path / "positions.npy"), *FIELDS]
    workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        told = [[worker.stdout.readline().strip() for _ in FIELDS] for worker in workers if worker.stdout]
        memory = [_mapped(worker.pid, index_blob) for worker in workers]
    finally:
        for worker in workers:
            worker.communicate("")
    placed = index.place(positions)
    here = [hashlib.sha256(np.ascontiguousarray(getattr(placed, name)).tobytes()).hexdigest() for name in FIELDS]
    assert told == [here, here]
    for resident, proportional, own in memory:
        assert 0 < resident < 1.1 * index_blob.stat().st_size  # what was looked at
        assert proportional < 0.9 * resident  # its pages are in memory once
        assert own == 0
    report("an index in two workers, MiB", file=f"{index_blob.stat().st_size / 2**20:.1f}",
           resident=[round(one[0] / 2**20, 1) for one in memory],
           shares=[round(one[1] / 2**20, 1) for one in memory])  # fmt: skip


def _mapped(pid: int, file: Path) -> tuple[int, int, int]:
    """Bytes of a mapped file that are in a process's memory, its share of them, and those that it alone has."""
    sums: dict[str, int] = {"Rss": 0, "Pss": 0, "Private_Dirty": 0}
    inside = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        name, _, value = line.partition(":")
        if "-" in name.partition(" ")[0]:
            inside = line.endswith(str(file))
        elif inside and name in sums:
            sums[name] += 1024 * int(value.split()[0])
    return sums["Rss"], sums["Pss"], sums["Private_Dirty"]


def test_answers_are_the_same_bytes_from_a_new_runtime(plan_and_runtime: tuple[Plan, Runtime], shared: Path) -> None:
    """What a worker answers after a restart is what it answered before."""
    from atlas_core.project import project_image

    plan, runtime = plan_and_runtime
    source = runtime.dataset(plan)
    images = [source.read(image) for image in source.listing.images[:3]]

    def answers(by: Runtime, order: list[int]) -> dict[int, str]:
        said: dict[int, Any] = {one: project_image(plan, by, images[one], None, "all") for one in order}
        return {one: json.dumps(answer) for one, answer in said.items()}

    assert answers(runtime, [0, 1, 2]) == answers(Runtime(runtime.store), [2, 0, 1])
