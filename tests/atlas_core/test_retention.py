"""What is dropped by age and by size, and what each owner's things take: on documents and blobs made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from atlas_core import aliases
from atlas_core.accounting import Accounts, bytes_by_owner
from atlas_core.gc import collect_garbage
from atlas_core.retention import expire
from atlas_core.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


def job(store: Store, name: str, days: float, *chunks: str, **fields: Any) -> None:
    """A job that ended so many days ago, with one blob of a chunk's name for each chunk."""
    finished = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    value = {"id": name, "kind": "atlas", "atlas": None, "request": None, "state": "succeeded", "attempt": 1,
             "spec": {"model": "m", "dataset": "d", "anchor": None, "keep": "atlas"}, "created": finished,
             "finished": finished}  # fmt: skip
    store.append_document("jobs", name, value | fields)
    store.append_document("plans", name, {"id": name, "chunks": [
        {"stage": "collect", "key": chunk, "version": 4} for chunk in chunks]})  # fmt: skip
    for chunk in chunks:
        store.put_record("collect", chunk, {"blobs": {"data": store.put_blob(chunk.encode())}})


def test_what_ended_long_ago_is_dropped_and_its_blobs_go(store: Store) -> None:
    job(store, "old", 10, "shared", "its own")
    job(store, "new", 1, "shared")
    assert expire(store, None) == []
    assert expire(store, None, days=5, dry_run=True) == ["old"]
    assert expire(store, None, days=5) == ["old"]
    assert expire(store, None, days=5) == []
    collect_garbage(store, None, grace=timedelta(hours=24))
    assert {blob.size for blob in store.list_blobs()} == {len("shared")}
    assert store.get_document("jobs", "old") is None


def test_what_an_alias_names_stays_with_what_it_stands_on(store: Store) -> None:
    named: dict[str, dict[str, Any]] = {
        "a" * 24: {}, "b" * 24: {"spec": {"model": "m", "dataset": "d", "anchor": "a" * 24, "keep": "atlas"}},
        "c" * 24: {"kind": "selection", "atlas": "a" * 24}, "d" * 24: {},
    }  # fmt: skip
    for name, fields in named.items():
        job(store, name, 100, name, **fields)
    aliases.move(store, "vision@prod", "b" * 24)
    assert expire(store, None, days=5) == ["c" * 24, "d" * 24]


def test_an_atlas_stays_while_something_younger_is_asked_of_it_or_under_way(store: Store) -> None:
    job(store, "asked", 100, "x")
    job(store, "icons", 1, "y", kind="icons", atlas="asked")
    job(store, "busy", 100, "z")
    job(store, "running", 100, "w", kind="icons", atlas="busy", state="running")
    job(store, "running2", 100, "v", state="queued")
    assert expire(store, None, days=5) == []
    assert expire(store, None, days=0.5) == ["icons", "asked"]


def test_the_oldest_make_room_by_what_only_they_take(store: Store) -> None:
    job(store, "first", 3, "s" * 100, "f" * 10)
    job(store, "second", 2, "s" * 100, "t" * 20)
    job(store, "third", 1, "u" * 30)
    assert expire(store, None, most_bytes=160, dry_run=True) == []
    assert expire(store, None, most_bytes=159, dry_run=True) == ["first"]
    assert expire(store, None, most_bytes=149, dry_run=True) == ["first", "second"]
    assert expire(store, None, days=2.5, most_bytes=149) == ["first", "second"]


def test_each_owner_is_charged_for_what_its_things_need(store: Store) -> None:
    weights = store.put_blob(b"w" * 7)
    store.append_document("models", "m", {"id": "m", "card": {"weights": f"sha256:{weights}"}, "owner": "team"})
    job(store, "one", 1, "s" * 100, "o" * 10, owner="team")
    job(store, "two", 1, "s" * 100, owner="team")
    job(store, "three", 1, "s" * 100, owner="others")
    job(store, "gone", 1, "g" * 200, owner="others", deleted=True)
    accounts = Accounts(store)
    assert accounts.size(accounts.of_job("one")) == 110
    assert bytes_by_owner(store) == {"others": 100, "team": 117}
