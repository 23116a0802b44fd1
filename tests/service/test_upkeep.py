"""The commands that look after a deployment, as somebody types them, and what the doctor finds."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from atlas_core import confinement
from atlas_core.ledger import Ledger, Worker
from atlas_core.redis_client import connect
from atlas_core.store import open_store
from service.doctor import VERSION, Finding, examine
from tests.tiny import ATLAS


def atlas(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*ATLAS, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                          env={**os.environ, **environment})  # fmt: skip


@pytest.fixture
def ledger(redis_server: str) -> Iterator[Ledger]:
    with connect(redis_server) as client:
        client.flushall()
        yield Ledger(client)


def failed(findings: list[Finding]) -> list[str]:
    return [finding.part for finding in findings if finding.state == "failed"]


def test_a_healthy_deployment_is_well_in_every_part(tmp_path: Path, redis_server: str, ledger: Ledger) -> None:
    worker = Worker("w", ("interactive", "cpu", "gpu"), 3, "cuda:0")
    ledger.beat(worker, 60)
    ledger.tell_version(worker, VERSION)
    findings = examine(str(tmp_path / "store"), redis_server)
    assert {finding.part for finding in findings} == {"store", "versions", "broker", "workers", "models"}
    assert failed(findings) == []
    assert Finding("workers", "ok", "gpu: 3 processes on cuda:0") in findings
    assert list((tmp_path / "store").rglob("*.tmp")) == []
    assert not [path for path in (tmp_path / "store").rglob("*") if path.is_file()]


def test_every_trouble_is_named_with_what_to_do(tmp_path: Path, redis_server: str, ledger: Ledger) -> None:
    store = open_store(str(tmp_path / "store"))
    store.objects.write("registry/models/m/000000.json", b'{"id": "m"}')
    ledger.beat(Worker("w", ("cpu",), 1), 60)
    with connect(redis_server) as client:
        client.config_set("maxmemory", "1gb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            findings = examine(str(tmp_path / "store"), redis_server)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", "0")
    text = "\n".join(finding.detail for finding in findings)
    assert failed(findings) == ["broker", "workers", "workers"]
    assert "set maxmemory-policy noeviction" in text
    assert "interactive: none; start a worker with -Q interactive" in text
    assert "1 documents are of an earlier version" in text
    assert "workers of version an earlier one run beside" in text


def test_what_is_down_does_not_hold_up_the_rest_and_tells_no_password(tmp_path: Path, free_port: int) -> None:
    url = f"redis://user:secret@127.0.0.1:{free_port}/0"
    (tmp_path / "file").write_text("no folder")
    began = time.monotonic()
    findings = examine(str(tmp_path / "file" / "store"), url, f"redis://127.0.0.1:{free_port}/1")
    assert time.monotonic() - began < 60
    assert len(failed(findings)) == 4
    assert not any("secret" in finding.detail for finding in findings)
    assert any("check ATLAS_CACHE_URL" in finding.detail for finding in findings)


def test_the_doctor_says_what_this_machine_cannot_keep_from_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> Finding:
        return next(finding for finding in examine(str(tmp_path), None) if finding.part == "models")

    everything = dict.fromkeys(confinement.available(), True)
    monkeypatch.setattr(confinement, "available", lambda: everything)
    assert found().state == "ok"
    monkeypatch.setattr(confinement, "available", lambda: everything | {confinement.CALLS: False})
    assert found().state == "warning"
    assert "could not keep sockets and programs from a model" in found().detail


def test_the_doctor_of_a_deployment_ends_with_status_1_where_something_failed(
    tmp_path: Path, redis_server: str, ledger: Ledger
) -> None:
    ledger.beat(Worker("w", ("interactive", "cpu", "gpu"), 1), 60)
    places = {"ATLAS_REDIS_URL": redis_server, "ATLAS_STORE_URL": str(tmp_path / "store")}
    told = atlas("doctor", "--json", **places)
    assert told.returncode == 0, told.stderr
    assert {"part", "state", "detail"} == set(json.loads(told.stdout)[0])
    (tmp_path / "folder").mkdir()
    told = atlas("doctor", "--data", str(tmp_path / "folder"))
    assert told.returncode == 1
    assert "FAILED  redis: nothing runs on this folder; start it by `atlas up`" in told.stdout


def test_backup_restore_and_upgrade_by_command(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "data" / "store"))
    store.objects.write("registry/models/m/000000.json", b'{"id":"m"}')
    sha256 = store.put_blob(b"weights")
    copy = str(tmp_path / "copy")
    told = atlas("backup", copy, "--data", str(tmp_path / "data"), "--json")
    assert json.loads(told.stdout) == {"blobs": 1, "objects": 1, "known": 0, "deleted": 0, "bytes": 17}
    assert atlas("restore", copy, "--data", str(tmp_path / "back")).returncode == 0
    back = open_store(str(tmp_path / "back" / "store"))
    assert back.get_blob(sha256) == b"weights"
    told = atlas("upgrade", "--data", str(tmp_path / "back"))
    assert told.stdout == "1 documents were brought up to date\n"
    assert back.document_versions("models", "m") == [0, 1]
    refused = atlas("restore", copy, "--data", str(tmp_path / "back"))
    assert refused.returncode == 4
    assert "restore into an empty one" in refused.stderr
