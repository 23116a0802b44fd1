from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from atlas_core.keys import canonical_json
from atlas_core.redis_client import connect
from atlas_core.schema import FIELD, SCHEMA
from workers import tasks
from workers.runtime import Process, process


@pytest.fixture
def here(redis_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    monkeypatch.setenv("ATLAS_REDIS_URL", redis_server)
    monkeypatch.setenv("ATLAS_STORE_URL", str(tmp_path))
    with connect(redis_server) as client:
        client.flushall()
    process.cache_clear()
    yield process()
    process.cache_clear()


def test_garbage_of_a_store_that_a_later_version_wrote_is_left_in_one_line(
    here: Process, caplog: pytest.LogCaptureFixture
) -> None:
    here.store.put_blob(b"of the later version")
    job = {"id": "a" * 64, "kind": "atlas", "state": "succeeded", FIELD: SCHEMA + 1}
    here.store.objects.write(f"registry/jobs/{job['id']}/000001.json", canonical_json(job))
    with caplog.at_level(logging.WARNING):
        tasks.collect_garbage()
        tasks.drop_samples(job["id"])
    assert len(caplog.records) == 2
    for record in caplog.records:
        assert "no garbage is collected by this worker" in record.message
        assert f"schema {SCHEMA + 1}" in record.message
        assert record.exc_info is None
    assert len(list(here.store.list_blobs())) == 1
