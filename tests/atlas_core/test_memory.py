from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

from atlas_core.activations import collect_shard
from atlas_core.attribution import attribute_shard
from atlas_core.errors import MemoryLimitError
from atlas_core.featurevis import render as rendering
from atlas_core.manifest import manifest_of, verify
from atlas_core.memory import Batches, is_out_of_memory
from atlas_core.runtime import Runtime
from atlas_core.store import open_store
from tests.atlas_core.conftest import TinyAtlas, planned, run_all
from tests.atlas_core.tiny import TinyModel, noise_pictures, picture_dataset
from tests.tiny import LAYER

if TYPE_CHECKING:
    from atlas_core.plan import Plan

ALLOCATION = "[enforce fail at alloc_cpu.cpp:127] data. DefaultCPUAllocator: not enough memory: you tried to allocate 9"


class Small(TinyModel):
    """Fails above so many images at once, as a machine with little memory does."""

    most = 5
    tried: list[int]

    def activations(self, pixels: Any, layers: Any, *, logits: bool) -> Any:
        self.tried.append(len(pixels))
        if len(pixels) > self.most:
            raise RuntimeError(ALLOCATION)
        return super().activations(pixels, layers, logits=logits)


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError(ALLOCATION), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (OSError(12, "Cannot allocate memory"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_says_that_memory_ran_out(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_onnxruntimes_failed_allocation_is_recognised() -> None:
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, RuntimeException

    told = "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Failed to allocate memory for requested buffer of size 9"
    assert is_out_of_memory(RuntimeException(told))
    assert not is_out_of_memory(Fail("[ONNXRuntimeError] : 1 : FAIL : no such kernel"))


def test_a_batch_is_halved_until_it_fits_and_stays_so() -> None:
    batches, tried = Batches(32), []

    def work(size: int) -> int:
        tried.append(size)
        if size > 5:
            raise MemoryError
        return size

    assert [batches.run(work), batches.run(work), batches.run(work, most=3)] == [4, 4, 3]
    assert tried == [32, 16, 8, 4, 4, 3]
    assert (batches.size, batches.halved) == (4, 4)


def test_one_item_that_does_not_fit_is_an_error_with_a_remedy() -> None:
    def work(size: int) -> None:
        raise MemoryError

    with pytest.raises(MemoryLimitError, match=r"one icon by itself needs more memory.*give the worker more"):
        Batches(8, "icon").run(work)


def test_other_errors_are_passed_on_at_once() -> None:
    tried: list[int] = []

    def work(size: int) -> None:
        tried.append(size)
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        Batches(8).run(work)
    assert tried == [8]


def test_collection_goes_on_where_it_was_and_finds_the_same(network: nn.Module, tmp_path: Path) -> None:
    dataset = picture_dataset(tmp_path, noise_pictures(19, 12, 12))
    counts = [3] * 19
    large = TinyModel(network, (3, 12, 12))
    expected = collect_shard(large, dataset, range(19), [large.layer("0")], counts, 1, batch=16)
    small = Small(network, (3, 12, 12))
    small.tried = []
    found = collect_shard(small, dataset, range(19), [small.layer("0")], counts, 1, batch=16)
    assert small.tried == [16, 8, 4, 4, 4, 4, 3]
    assert (found.halved, expected.halved) == (4, None)
    for name, column in expected.layers["0"].items():
        if name == "activations":
            np.testing.assert_allclose(found.layers["0"][name].astype(np.float32), column.astype(np.float32), atol=1e-3)
        else:
            np.testing.assert_array_equal(found.layers["0"][name], column)
    np.testing.assert_array_equal(found.images["image"], expected.images["image"])
    first, second = (np.asarray(shard.images["logits"], np.float32) for shard in (found, expected))
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_attribution_goes_on_where_it_was_and_finds_the_same(
    network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = TinyModel(network, (3, 12, 12))
    dataset = picture_dataset(tmp_path, noise_pictures(9, 12, 12))
    table = collect_shard(model, dataset, range(9), [model.layer("0")], [6] * 9, 1).layers["0"]
    expected = attribute_shard(model, dataset, table, model.layer("0"), "ablation")
    head = model.head("0")
    prepare, asked = head.prepare, []

    def scarce(pixels: torch.Tensor) -> Any:
        asked.append(len(pixels))
        if len(pixels) > 2:
            raise RuntimeError(ALLOCATION)
        return prepare(pixels)

    monkeypatch.setattr(head, "prepare", scarce)
    monkeypatch.setattr(model, "head", lambda _: head)
    found = attribute_shard(model, dataset, table, model.layer("0"), "ablation")
    assert asked == [9, 8, 4, 2, 2, 2, 2, 1]
    assert (found.halved, expected.halved) == (8, None)
    np.testing.assert_allclose(
        found.attributions.astype(np.float32), expected.attributions.astype(np.float32), atol=2e-3
    )


def _marked(plan: Plan, runtime: Runtime) -> dict[str, Any]:
    run_all(plan, runtime)
    return manifest_of(plan, runtime.store)


def test_a_halved_atlas_says_so_and_is_the_same_but_for_that(
    tiny_atlas: TinyAtlas, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, tried = rendering.Renderer._start, []

    def scarce(self: Any, seeds: Any, keys: Any) -> Any:
        tried.append(len(keys))
        if len(keys) > 4:
            raise RuntimeError(ALLOCATION)
        return start(self, seeds, keys)

    monkeypatch.setattr(rendering.Renderer, "_start", scarce)
    store = open_store("memory://")
    made = planned(store, tiny_atlas.model, tiny_atlas.dataset, levels=[3])
    manifest = _marked(made, Runtime(store))
    assert tried[:4] == [25, 12, 6, 3]
    assert manifest["halved"] == [{"stage": "render", "layer": LAYER, "batch": 3}]
    assert verify(manifest)
    assert tiny_atlas.manifest["halved"] == []
    for path in (f"{LAYER}/3/cells.json",):
        found = json.loads(store.get_blob(manifest["artifacts"][path]["sha256"]))
        expected = json.loads((tiny_atlas.directory / path).read_text())
        assert [{**cell, "icon": 0} for cell in found] == [{**cell, "icon": 0} for cell in expected]
        for one, other in zip(found, expected, strict=True):
            assert one["icon"]["contrast"] == pytest.approx(other["icon"]["contrast"], abs=0.02)


CHILD = """
import resource, sys
from pathlib import Path
import torch
from torch import nn
torch.set_num_threads(1)
from atlas_core.activations import collect_shard
from tests.atlas_core.tiny import TinyModel, noise_pictures, picture_dataset
torch.manual_seed(1)
layers = nn.Conv2d(3, 256, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 3)
model = TinyModel(nn.Sequential(*layers), (3, 64, 64))
dataset = picture_dataset(Path(sys.argv[1]), noise_pictures(32, 64, 64))
arguments = (model, dataset, range(32), [model.layer("0")], [2] * 32, 1)
collect_shard(*arguments, batch=2)  # whatever is loaded and compiled at the first time
pages = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (pages + (150 << 20), -1))
print(collect_shard(*arguments, batch=32).halved)
"""


def test_a_machine_without_memory_halves_its_batch(tmp_path: Path) -> None:
    """32 images of 256 maps are 126 MB a tensor; the process may have 150 MB more."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 32
