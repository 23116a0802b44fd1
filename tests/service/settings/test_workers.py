"""What workers do otherwise when they are told to: each setting by what it changes for who asks the service."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save

from atlas_client.errors import ClientError
from atlas_core import mailbox, registry
from atlas_core.ledger import HEARTBEATS, Ledger
from tests.receiver import receiving
from tests.service.settings.conftest import KEPT_BYTES, until
from tests.service.stack import descendants
from tests.tiny import ATLAS

if TYPE_CHECKING:
    from tests.service.conftest import Live
    from tests.service.settings.conftest import Changed


pytestmark = pytest.mark.proof  # another service beside the live one, and a minute of a processor


def test_no_worker_is_needed_to_be_ready_where_no_queue_is_named(changed: Changed) -> None:
    """None does gpu chunks alone, and the fixture waited for this before it started any."""
    assert httpx.get(f"{changed.stack.url}/readyz").status_code == 200


def test_another_name_is_not_answered(changed: Changed) -> None:
    assert httpx.get(f"{changed.stack.url}/v1/models", headers={"host": "localhost"}).status_code == 400
    assert httpx.get(f"{changed.stack.url}/v1/models").status_code == 200


def test_a_lost_message_is_sent_again_after_the_seconds(changed: Changed) -> None:
    until(lambda: any("cpu" in worker.queues for worker in Ledger(changed.stack.redis).workers()), 300)
    until(lambda: changed.client.dataset(changed.lost)["state"] == "ready")  # by default lost for 60 s


def test_a_worker_says_at_every_beat_that_it_lives(changed: Changed) -> None:
    seen: set[float] = set()

    def beaten() -> bool:
        """Whether six times have been seen at which the worker that was heard of last will count as dead."""
        found: Any = changed.stack.redis.zrange(HEARTBEATS, -1, -1, withscores=True)
        seen.update(end / 1000 for _, end in found)
        return len(seen) >= 6

    until(beaten, 8)  # by default they take ten seconds
    assert max(seen) - time.time() <= 3


def test_what_nobody_refers_to_is_deleted_from_the_age_on(changed: Changed) -> None:
    until(lambda: changed.stack.store.blob_size(changed.blobs[11]) is None)
    assert changed.stack.store.blob_size(changed.blobs[9]) == 7


def test_what_ended_long_ago_is_dropped(changed: Changed) -> None:
    def there(days: int) -> bool:
        return httpx.get(f"{changed.stack.url}/v1/atlases/{changed.jobs[days]}").status_code == 200

    until(lambda: not there(31))
    assert there(29)


def test_what_takes_too_much_room_would_be_dropped(changed: Changed, tmp_path: Path) -> None:
    environment = {**os.environ, "ATLAS_REDIS_URL": changed.stack.redis_url, "ATLAS_RETAIN_BYTES": "1",
                   "ATLAS_STORE_URL": str(changed.stack.folder / "store")}  # fmt: skip
    told = subprocess.run([*ATLAS, "gc", "--dry-run", "--json"], capture_output=True, text=True, check=True,
                          env=environment, cwd=tmp_path)  # fmt: skip
    assert changed.jobs[29] in json.loads(told.stdout)["dropped"]


def test_a_webhook_goes_by_plain_http_into_a_listed_network_and_is_tried_again_when_it_was_slow(
    changed: Changed,
) -> None:
    """127.1 is no address, but a name that the resolver takes for one of this machine: a private one."""
    with receiving(204) as receiver:
        receiver.seconds = 3
        url = receiver.url.replace("127.0.0.1", "127.1")
        hook = changed.client.json("POST", "/v1/webhooks", json={"url": url})
        job = changed.client.submit({**changed.spec, "seed": 2001})
        changed.client.cancel(job["id"])
        receiver.wait(1)
        receiver.seconds = 0
        (told,) = until(lambda: [
            one for one in changed.client.json("GET", f"/v1/webhooks/{hook['id']}")["deliveries"]
            if one["state"] != "pending"
        ])  # fmt: skip
        changed.client.request("DELETE", f"/v1/webhooks/{hook['id']}")
    assert (told["state"], told["status"]) == ("delivered", 204)
    assert told["attempts"] == len(receiver.messages) == 2


def project(changed: Changed, image: Path, **options: Any) -> httpx.Response:
    answer = httpx.post(f"{changed.stack.url}/v1/atlases/{changed.atlas}/projections", content=image.read_bytes(),
                        timeout=150, params=options)  # fmt: skip
    assert answer.status_code == 200, answer.text
    return answer


def test_answers_are_kept_in_the_other_redis_for_the_seconds_and_bytes(changed: Changed, cards: Path) -> None:
    images = sorted((cards / "pictures").rglob("*.png"))
    first = project(changed, images[0])
    (kept,) = changed.cache.scan_iter(mailbox.kept_key("*"))
    assert 0 < changed.cache.ttl(kept) <= 100
    assert not list(changed.stack.redis.scan_iter(mailbox.kept_key("*")))
    assert project(changed, images[0]).headers["cache-status"] == "atlas; hit"
    for image in images[1 : 2 + KEPT_BYTES // len(first.content)]:
        project(changed, image)
    assert 0 < int(changed.cache.get(mailbox.KEPT_BYTES) or 0) <= KEPT_BYTES
    assert project(changed, images[0]).headers["cache-status"] == "atlas; fwd=miss"  # it made room


def test_a_worker_projects_as_many_images_side_by_side_as_it_has_threads(
    changed: Changed, cards: Path, tmp_path: Path
) -> None:
    """It takes what its threads have room for, so that none of twelve waits when the first of them is answered."""
    images = sorted((cards / "pictures").rglob("*.png"))[20:32]
    project(changed, images[0])
    (child,) = descendants(changed.stack.processes["interactive"].pid)
    large = [tmp_path / f"{number}.png" for number in range(len(images))]
    for image, path in zip(images, large, strict=True):  # so large that all are taken before the first is decoded
        with Image.open(image) as read:
            read.resize((2400, 2400)).save(path, compress_level=1)
    os.kill(child, signal.SIGSTOP)
    with ThreadPoolExecutor(len(large)) as clients:
        asked = [clients.submit(project, changed, image) for image in large]
        until(lambda: changed.cache.llen(mailbox.WAITING) >= len(large) - 1)  # it may have been about to take one
        os.kill(child, signal.SIGCONT)
        wait(asked, return_when=FIRST_COMPLETED)
        waiting = changed.cache.llen(mailbox.WAITING)
        for one in asked:
            one.result()
    assert waiting == 0  # by default it takes eight, and one more for the first that is answered


@pytest.mark.parametrize(
    ("do", "says"), [("spin", "more than 5 s of a processor|not looked at within 20 s"), ("hold", "cannot be built")]
)
def test_a_model_that_takes_more_than_it_may_is_refused(changed: Changed, do: str, says: str) -> None:
    weights = save({"weight": np.zeros(1, np.float32)})
    sha256 = hashlib.sha256(weights).hexdigest()
    changed.client.request("PUT", f"/v1/blobs/{sha256}", content=weights)
    card = {"name": do, "format": "python", "architecture": "stranger", "arguments": {"do": do},
            "weights": f"sha256:{sha256}",
            "input": {"channels": 3, "height": 64, "width": 64, "mean": [0] * 3, "std": [1] * 3}}  # fmt: skip
    name = changed.client.json("POST", "/v1/models", json={"card": card})["id"]
    with pytest.raises(ClientError, match=says) as refused:
        changed.client.wait_ready("models", name)
    assert "there was room" not in str(refused.value)


def test_a_chunk_is_given_up_after_so_many_attempts(changed: Changed) -> None:
    until(lambda: changed.client.dataset(changed.lost)["state"] == "ready")
    source = changed.client.dataset(changed.lost)["card"]["source"].removeprefix("sha256:")
    (file,) = (changed.stack.folder / "store").rglob(source)
    file.unlink()
    job = changed.client.submit({**changed.spec, "dataset": changed.lost, "samples": 100, "levels": [3]})["id"]
    failed = until(lambda: (now := changed.client.status(job))["state"] == "failed" and now)
    keys = [chunk.key for chunk in registry.plan_of(changed.stack.store, job).find("collect")]
    tried = [chunk.attempts for chunk in Ledger(changed.stack.redis).states(keys)]
    assert (max(tried), failed["error"]["type"]) == (1, "not-found")


def test_a_worker_of_gpu_chunks_computes_on_the_device_that_is_named(changed: Changed) -> None:
    command = [sys.executable, "-P", "-m", "celery", "-A", "workers.app", "worker", "-Q", "gpu", "-c", "2"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, cwd=changed.stack.folder,
                          env={**changed.stack.environment, "ATLAS_DEVICE": "cuda:7"})  # fmt: skip
    assert told.returncode != 0
    assert "2 processes would share the device cuda:7" in told.stderr


def test_so_many_processes_answer_at_one_port(live: Live) -> None:
    port = int(live.service.url.rpartition(":")[2])
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    (socket,) = {f"socket:[{row[9]}]" for row in table if row[1].endswith(f":{port:04X}") and row[3] == "0A"}
    processes = {live.service.children.pid(name) for name in ("api", "api-2")}  # as tests/service/conftest.py sets it
    assert len(processes) == 2
    for process in processes:
        assert socket in {os.readlink(name) for name in Path(f"/proc/{process}/fd").iterdir()}


def test_a_worker_that_is_stopped_waits_no_longer_than_the_seconds(changed: Changed) -> None:
    """It gives a chunk one second, and this one stands still for four; by default it would be finished after them."""
    job = changed.client.submit({**changed.spec, "seed": 2003})["id"]
    child = changed.stack.running(job, "collect")
    os.kill(child, signal.SIGSTOP)

    def go_on() -> None:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGCONT)

    later = threading.Timer(4, go_on)
    later.start()
    changed.stack.terminate("batch")
    later.join()
    keys = [chunk.key for chunk in registry.plan_of(changed.stack.store, job).find("collect")]
    assert {chunk.state for chunk in Ledger(changed.stack.redis).states(keys)} <= {"waiting", "queued"}
