from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import redis

import service.embedded
from atlas_core.errors import DependencyError
from atlas_core.store import open_store
from service.embedded import embedded, free_port, port_is_free

ATLAS = [sys.executable, "-c", "from atlas_client.cli import main; main()"]


def atlas(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ATLAS, *arguments], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


def test_a_port_that_is_taken_is_not_free() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert not port_is_free(taken.getsockname()[1])
    assert port_is_free(free_port())


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_port_that_is_asked_for_and_taken_is_refused(tmp_path: Path, command: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = atlas(command, "--port", str(port), "--data", str(tmp_path / "data"))
    assert (found.returncode, found.stdout) == (2, "")
    expected = f"atlas: error: the port {port} is taken; stop what listens there, or name another with --port\n"
    assert found.stderr == expected


def test_a_redis_of_somebody_else_is_not_emptied(
    redis_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis.Redis.from_url(redis_server) as client:
        client.set("theirs", "kept")
        taken = client.connection_pool.connection_kwargs["port"]
        monkeypatch.setattr(service.embedded, "free_port", lambda: taken)
        with pytest.raises(DependencyError, match="another Redis"), embedded(tmp_path, port=free_port()):
            pass
        assert client.getdel("theirs") == b"kept"


def test_gc_says_what_it_would_delete_and_deletes_it(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    orphan = store.put_blob(b"nobody refers to it")
    where = ["--data", str(tmp_path), "--grace", "0", "--json"]
    expected = {"dropped": [], "records": 0, "blobs": 1, "uploads": 0, "documents": 0, "bytes": 19}
    told = atlas("gc", "--dry-run", *where)
    assert (told.returncode, json.loads(told.stdout)) == (0, {"dry_run": True, **expected})
    assert store.blob_size(orphan) == 19
    told = atlas("gc", *where[2:], ATLAS_DATA=str(tmp_path))
    assert json.loads(told.stdout) == {"dry_run": False, **expected}
    assert store.blob_size(orphan) is None
    assert atlas("gc", "--data", str(tmp_path / "none")).returncode == 4


def test_a_redis_that_does_not_start_is_a_dependency_down(tmp_path: Path) -> None:
    broken = tmp_path / "broken-redis"
    broken.write_text("#!/bin/sh\necho out of order; exit 1\n")
    broken.chmod(0o755)
    found = atlas("up", "--data", str(tmp_path), ATLAS_REDIS_BINARY=str(broken), ATLAS_START_SECONDS="2")
    assert (found.returncode, found.stdout) == (2, "")
    assert "redis did not start" in found.stderr
    assert "out of order" in found.stderr


def test_the_demos_world_can_be_had_alone(tmp_path: Path) -> None:
    found = atlas("demo", "--data-only", str(tmp_path), "--json")
    assert (found.returncode, json.loads(found.stdout)) == (0, {"folder": str(tmp_path)})
    assert {"model.json", "model-clean.json", "dataset.json"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.proof
def test_the_demo_ends_within_three_minutes_with_an_atlas_and_a_projection(tmp_path: Path) -> None:
    began = time.monotonic()
    found = atlas("demo", "--no-serve", "--json", "--data", str(tmp_path), "--port", str(free_port()))
    seconds = time.monotonic() - began
    assert found.returncode == 0, found.stderr
    answer: dict[str, Any] = json.loads(found.stdout)
    assert answer["url"].endswith(f"/?atlas={answer['atlas']}")
    assert answer["accuracy"]["top1"] >= 0.95
    assert seconds < 180
    assert answer["projection"]["classes"][0]["name"] == "wok"
    assert answer["stops"] == 5
