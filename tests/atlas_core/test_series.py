from __future__ import annotations

from pathlib import Path
from typing import Any

from atlas_core.redis_client import connect
from atlas_core.series import Series
from atlas_core.store import Store, open_store


def add(store: Store, name: str, created: str, **fields: Any) -> None:
    job = {"id": name, "kind": "drift", "atlas": "map", "state": "succeeded", "request": {"series": "nightly"}}
    store.append_document("jobs", name, {**job, "created": created, **fields})


def test_the_newest_of_each_series_is_read_once_and_then_noted(redis_server: str, tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    add(store, "first", "2026-01-01")
    add(store, "second", "2026-01-02")
    add(store, "dropped", "2026-01-03", deleted=True)
    add(store, "failed", "2026-01-04", state="failed")
    add(store, "alone", "2026-01-05", request={"series": None})
    add(store, "weekly", "2026-01-01", request={"series": "weekly"})
    add(store, "atlas", "2026-01-01", kind="atlas", request=None)
    with connect(redis_server) as client:
        client.flushall()
        series = Series(client)
        assert series.newest(store) == {("map", "nightly"): "second", ("map", "weekly"): "weekly"}
        add(store, "unheard", "2026-01-06")
        assert series.newest(store)["map", "nightly"] == "second"  # the registry is not read again
        third = {"id": "third", "atlas": "map", "request": {"series": "nightly"}, "created": "2026-01-05"}
        series.note(third)
        series.note({**third, "id": "first", "created": "2026-01-01"})  # asked for earlier, ended later
        assert series.newest(store)["map", "nightly"] == "third"
        series.forget()
        assert series.newest(store)["map", "nightly"] == "unheard"
