"""Documents of schema 1 are those of `schema_1/`, written by the version before documents said their schema."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from atlas_core import registry
from atlas_core.errors import ConflictError, VersionError
from atlas_core.registry import plan_of, put_plan
from atlas_core.schema import FIRST_STAGES, SCHEMA, STEPS, current, marked
from atlas_core.store import Store, open_store

OLD = Path(__file__).parent / "schema_1"
ATLAS = "e0be987dee668888f20e015e"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store as that version left it."""
    shutil.copytree(OLD, tmp_path / "store")
    return open_store(str(tmp_path / "store"))


def test_every_version_leads_to_the_next() -> None:
    assert sorted(STEPS) == list(range(1, SCHEMA))


def test_chunks_of_schema_1_are_told_their_version() -> None:
    old = {"id": "a", "chunks": [{"stage": "collect", "key": "k"}, {"stage": "attribute", "key": "l"}]}
    assert current("plans", old)["chunks"] == [
        {"stage": "collect", "key": "k", "version": 4},
        {"stage": "attribute", "key": "l", "version": 1},
    ]
    assert current("jobs", old) == old
    assert current("plans", marked(current("plans", old))) == current("plans", old)


def test_what_a_later_version_wrote_is_left_to_it() -> None:
    with pytest.raises(VersionError, match=f"schema {SCHEMA + 1}, this one reads {SCHEMA}"):
        current("jobs", {"id": "a", "schema": SCHEMA + 1})


def test_jobs_and_plans_of_the_version_before_are_read(store: Store) -> None:
    job = registry.document(store, "jobs", ATLAS)
    assert (job["name"], job["state"]) == ("made before chunks said their version", "queued")
    plan = plan_of(store, ATLAS)
    assert plan.chunks[0].stage == "collect"
    assert all(chunk.version == FIRST_STAGES.get(chunk.stage, 1) for chunk in plan.chunks)
    put_plan(store, plan)
    assert store.document_versions("plans", ATLAS) == [0]


def test_an_upgrade_writes_what_was_brought_up_to_date_once(store: Store, tmp_path: Path) -> None:
    before = {kind: store.get_document(kind, ATLAS) for kind in ("jobs", "plans")}
    assert store.upgrade_documents(dry_run=True) == 2
    assert store.document_versions("jobs", ATLAS) == [0]
    assert store.upgrade_documents() == 2
    assert store.upgrade_documents() == 0
    for kind, value in before.items():
        assert store.document_versions(kind, ATLAS) == [0, 1]
        stored = json.loads((tmp_path / "store" / "registry" / kind / ATLAS / "000001.json").read_text())
        assert stored["schema"] == SCHEMA
        assert open_store(str(tmp_path / "store")).get_document(kind, ATLAS) == value


def test_a_plan_in_a_form_that_no_step_knows_is_refused(store: Store) -> None:
    value = store.get_document("plans", ATLAS)
    assert value is not None
    store.append_document("plans", ATLAS, {**value, "colour": "blue"})
    with pytest.raises(ConflictError, match="planned by another version"):
        plan_of(store, ATLAS)
