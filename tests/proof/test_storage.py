"""Issue 3, done when 5: the full demo with Ceph's S3 gateway as the store and two API processes behind one port."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from atlas_client.client import Client
from atlas_core.run import die_with_parent, single_threaded_environment
from atlas_core.store import open_store
from service.commands import DEMO_LAYERS, DEMO_OPTIONS
from service.embedded import free_port

if TYPE_CHECKING:
    from tests.proof.conftest import Report
    from tests.rgw import Rgw

pytestmark = pytest.mark.proof
ATLAS = [sys.executable, "-c", "from atlas_client.cli import main; main()"]
SECONDS = 900


def _demo(folder: Path, **settings: str) -> dict[str, Any]:
    command = [*ATLAS, "demo", "--no-serve", "--json", "--data", str(folder)]
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=SECONDS,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def on_a_folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The demo as it comes: its data folder, and what it says."""
    folder = tmp_path_factory.mktemp("folder")
    return folder, _demo(folder)


def test_the_demo_runs_on_s3_by_settings_alone(
    rgw: Rgw, on_a_folder: tuple[Path, dict[str, Any]], tmp_path: Path, report: Report
) -> None:
    url = f"{rgw.bucket()}/demo"
    cache = str(tmp_path / "cache")
    answer = _demo(tmp_path / "data", **rgw.environment, ATLAS_STORE_URL=url, ATLAS_STORE_CACHE_FOLDER=cache,
                   ATLAS_API_PROCESSES="2")  # fmt: skip
    _, plain = on_a_folder
    assert (answer["atlas"], answer["digest"]) == (plain["atlas"], plain["digest"])
    assert answer["projection"] == plain["projection"]
    assert (tmp_path / "data" / "logs" / "api-2.log").exists()
    assert list((tmp_path / "data" / "store").iterdir()) == []
    blobs = list(open_store(url, rgw.settings()).list_blobs())
    report("demo on S3", seconds=answer["seconds"], on_a_folder=plain["seconds"], blobs=len(blobs),
           megabytes=round(sum(blob.size for blob in blobs) / 1e6))  # fmt: skip


@contextmanager
def _started(folder: Path, environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{arguments[0]}-{len(list(folder.iterdir()))}.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-P", "-m", *arguments], cwd=folder, env=environment, stdout=log,
                                   stderr=log, preexec_fn=die_with_parent)  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def _worker(name: str, queues: str, processes: int) -> list[str]:
    return ["celery", "-A", "workers.app", "worker", "-n", f"{name}@%h", "-Q", queues, "-c", str(processes)]


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_parts_started_one_by_one_on_s3_make_the_same_atlas(
    rgw: Rgw, redis_server: str, on_a_folder: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, plain = on_a_folder
    port = free_port()
    environment = {
        **os.environ, **single_threaded_environment(), **rgw.environment, "ATLAS_STORE_URL": rgw.bucket(),
        "ATLAS_STORE_CACHE_FOLDER": str(tmp_path / "cache"), "ATLAS_REDIS_URL": redis_server,
        "REMAP_SIGTERM": "SIGQUIT",
    }  # fmt: skip
    serve = ["uvicorn", "service.main:create_app", "--factory", "--port", str(port), "--workers", "2"]
    with ExitStack() as stack:
        for name, queues, processes in (
            ("interactive", "interactive", 1),
            ("one", "cpu,gpu", 1),
            ("two", "cpu,gpu", 1),
        ):
            stack.enter_context(_started(tmp_path, environment, *_worker(name, queues, processes)))
        api = stack.enter_context(_started(tmp_path, environment, *serve))
        client = stack.enter_context(Client(f"http://127.0.0.1:{port}"))
        _until_ready(client.url)
        dataset = client.add_dataset(folder / "demo-world" / "dataset.json")["id"]
        model = client.add_model(folder / "demo-world" / "model.json", dataset)["id"]
        client.wait_ready("datasets", dataset)
        client.wait_ready("models", model)
        atlas = client.submit({"model": model, "dataset": dataset, "layers": DEMO_LAYERS, **DEMO_OPTIONS})["id"]
        done = client.wait(atlas)
        assert (atlas, done["digest"]) == (plain["atlas"], plain["digest"])
        _both_answer_alike(client.url, atlas, api.pid)


def _until_ready(url: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            if httpx.get(f"{url}/readyz", timeout=10).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, "the service did not become ready"
        time.sleep(0.2)


def _both_answer_alike(url: str, atlas: str, parent: int) -> None:
    """Every request over a connection of its own, so that either process answers."""
    found = subprocess.run(["pgrep", "-P", str(parent), "-f", "spawn_main"], capture_output=True, text=True, check=True)
    before = {int(pid): _ticks(int(pid)) for pid in found.stdout.split()}
    assert len(before) == 2
    level = f"{url}/v1/atlases/{atlas}/layers/{DEMO_LAYERS[0]}/levels/1"
    for path in (f"{url}/v1/atlases/{atlas}", f"{url}/v1/atlases", level, f"{level}/cells"):
        assert len({httpx.get(path).raise_for_status().content for _ in range(40)}) == 1
    assert all(_ticks(pid) > ticks for pid, ticks in before.items())
