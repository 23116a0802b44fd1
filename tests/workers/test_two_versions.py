"""Workers of two versions on one queue: what is for the other version is handed back, and not failed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from celery import Celery

from atlas_core import registry
from atlas_core.advance import submit
from atlas_core.events import parse, stream_of
from atlas_core.keys import canonical_json
from atlas_core.ledger import Ledger
from atlas_core.redis_client import connect
from atlas_core.run import die_with_parent
from atlas_core.schema import FIELD, SCHEMA
from atlas_core.settings import Settings, celery_settings
from atlas_core.store import Store, open_store
from tests.atlas_core.conftest import planned
from tests.tiny import write_cards

SECONDS = 300  # whichever worker takes a message first; sweeps send those that were handed back again
# A worker of the version before: its stage collects in another way, under another version.
BEFORE = "from atlas_core import plan; plan.VERSIONS['collect'] -= 1; "
CELERY = "import sys; from celery.__main__ import main; sys.argv[1:1] = ['-A', 'workers.app', 'worker']; main()"


class Shared:
    """A store and a Redis, and workers of ours beside them."""

    def __init__(self, folder: Path, url: str, stack: ExitStack) -> None:
        self.settings = Settings(redis_url=url, store_url=str(folder / "store"))
        self.store: Store = open_store(self.settings.store_url)
        self._client = stack.enter_context(connect(url))
        self.ledger = Ledger(self._client)
        self._folder, self._stack = folder, stack
        self._producer = Celery("test", set_as_current=False)
        self._producer.config_from_object(celery_settings(self.settings))
        stack.callback(self._producer.close)

    def enqueue(self, task: str, arguments: list[str], queue: str) -> None:
        self._producer.send_task(task, args=arguments, queue=queue, retry=False)

    def worker(self, name: str, code: str) -> None:
        environment = {**os.environ, "ATLAS_REDIS_URL": self.settings.redis_url, "ATLAS_BEAT_SECONDS": "0.2",
                       "ATLAS_LEASE_SECONDS": "2", "ATLAS_REQUEUE_SECONDS": "1",
                       "ATLAS_STORE_URL": self.settings.store_url, "REMAP_SIGTERM": "SIGQUIT"}  # fmt: skip
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", code, "-n", f"{name}@%h", "-Q", "cpu,gpu", "-c", "1"], cwd=self._folder,
                env=environment, stdout=log, stderr=log, preexec_fn=die_with_parent,
            )  # fmt: skip
        self._stack.callback(process.wait, 20)
        self._stack.callback(process.terminate)

    def until(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not what():
            assert time.monotonic() < deadline, "\n".join(log.read_text() for log in self._folder.glob("*.log"))
            time.sleep(0.05)

    def handed_back(self, job_id: str) -> bool:
        """Whether a worker said that a chunk of a job is of another version."""
        events = parse(self._client.xrange(stream_of(job_id)))
        return any(event.type == "error" and event.data["type"] == "other-version" for event in events)


@pytest.fixture
def shared(tmp_path: Path, redis_server: str) -> Iterator[Shared]:
    with ExitStack() as stack:
        made = Shared(tmp_path, redis_server, stack)
        with connect(redis_server) as client:
            client.flushall()
        yield made


@pytest.mark.proof
def test_what_is_for_the_other_version_is_handed_back_until_it_comes(shared: Shared, tmp_path: Path) -> None:
    cards = write_cards(tmp_path / "cards")
    mine = planned(shared.store, *cards, levels=[3], allow_sparse=True)
    later = planned(shared.store, *cards, levels=[3], allow_sparse=True, seed=4)
    submit(later, None, shared.store, shared.ledger, lambda *_: None)
    plan = {**later.model_dump(mode="json"), FIELD: SCHEMA + 1}
    path = f"registry/plans/{later.id}/000001.json"
    shared.store.objects.write(path, canonical_json(plan))  # as a later version writes it

    shared.worker("before", BEFORE + CELERY)
    submit(mine, None, shared.store, shared.ledger, shared.enqueue)
    shared.enqueue("workers.tasks.run_chunk", [later.id, later.chunks[0].key], "gpu")
    first = mine.find("collect")[0]
    shared.until(lambda: shared.handed_back(mine.id))
    shared.until(lambda: shared.handed_back(later.id))
    assert shared.ledger.states([first.key])[0].attempts == 0
    assert not shared.store.has_record("collect", first.key)
    assert {job["state"] for job in registry.documents(shared.store, "jobs")} <= {"queued", "running"}

    shared.worker("now", CELERY)
    shared.until(lambda: shared.store.has_record("collect", first.key))
    assert shared.ledger.states([first.key])[0].state in ("leased", "done")
    assert registry.document(shared.store, "jobs", later.id)["state"] == "queued"
