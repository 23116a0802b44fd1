"""Chunks under bad conditions: the same manifest as without them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from atlas_core.manifest import manifest_of
from atlas_core.runtime import Runtime
from atlas_core.stages import run_chunk
from atlas_core.store import Store, open_store
from tests.atlas_core.conftest import TinyAtlas, planned, run_all
from tests.faulty_store import FaultyObjects


def test_two_workers_that_race_on_every_chunk(
    tiny_atlas: TinyAtlas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = str(tmp_path / "store")
    made = planned(open_store(url), tiny_atlas.model, tiny_atlas.dataset)
    runtimes = [Runtime(open_store(url)) for _ in range(2)]
    both = threading.Barrier(2, timeout=120)
    wrote: list[str] = []
    has_record, put_record = Store.has_record, Store.put_record

    def asked_by_both(self: Store, stage: str, key: str) -> bool:
        found = has_record(self, stage, key)
        both.wait()
        return found

    def counted(self: Store, stage: str, key: str, value: dict[str, Any]) -> None:
        wrote.append(key)
        put_record(self, stage, key, value)

    monkeypatch.setattr(Store, "has_record", asked_by_both)
    monkeypatch.setattr(Store, "put_record", counted)
    with ThreadPoolExecutor(2) as pool:
        for chunk in made.chunks:
            list(pool.map(lambda runtime, chunk=chunk: run_chunk(made, chunk, runtime), runtimes))
    assert sorted(wrote) == sorted([chunk.key for chunk in made.chunks] * 2)
    assert manifest_of(made, runtimes[0].store)["digest"] == tiny_atlas.manifest["digest"]


def test_a_store_that_fails_one_request_in_five(tiny_atlas: TinyAtlas, tmp_path: Path) -> None:
    objects = FaultyObjects(str(tmp_path / "store"), share=0.2, seed=1)
    store = Store(objects)
    made = planned(store, tiny_atlas.model, tiny_atlas.dataset)
    run_all(made, Runtime(store))
    assert objects.failed > 20
    assert manifest_of(made, store)["digest"] == tiny_atlas.manifest["digest"]
