"""Messages written by hand, to a real broker with a real worker: nothing runs but what we know."""

from __future__ import annotations

import base64
import json
import os
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from atlas_core import registry
from atlas_core.advance import CPU, RUN_CHUNK, submit
from atlas_core.build import plan
from atlas_core.cards import DatasetCard, InputCard, LayerInfo, ModelCard
from atlas_core.facts import DatasetFacts, ModelFacts
from atlas_core.inspections import INSPECT
from atlas_core.ledger import Ledger
from atlas_core.spec import parse_spec
from atlas_core.sweep import SWEEP
from tests.service.stack import Stack, alive, descendants

if TYPE_CHECKING:
    from atlas_core.plan import Plan

SECONDS = 60


class Payload:
    """Makes the file that its pickle is read with."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self._canary}",)


def message(
    task: str, body: Any, *, content_type: str = "application/json", encoding: str = "utf-8", **headers: Any
) -> bytes:
    """A message of protocol 2 as kombu lays it into Redis; a body of bytes goes as it is."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    name = uuid4().hex
    return json.dumps({
        "body": base64.b64encode(data).decode(), "content-type": content_type, "content-encoding": encoding,
        "headers": {"lang": "py", "task": task, "id": name, "root_id": name, "argsrepr": "()", "kwargsrepr": "{}",
                    "retries": 0, "timelimit": [None, None], **headers},
        "properties": {"correlation_id": name, "delivery_mode": 2, "priority": 0, "body_encoding": "base64",
                       "delivery_tag": uuid4().hex, "delivery_info": {"exchange": "", "routing_key": CPU}},
    }).encode()  # fmt: skip


def asked(*arguments: Any, named: dict[str, Any] | None = None, **embedded: Any) -> list[Any]:
    return [arguments, named or {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None, **embedded}]


@pytest.fixture(scope="module")
def stack(redis_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("messages"), redis_server)
    stack.worker("batch", CPU, 1)
    yield stack
    stack.stop()


def served(stack: Stack, name: str) -> None:
    """A dataset is inspected by the worker: whatever came before it in the queue is over."""
    archive = stack.store.put_blob(b"no archive")
    dataset = registry.add_dataset(stack.store, DatasetCard(name=name, source=f"sha256:{archive}"), name)["id"]
    stack.redis.lpush(CPU, message(INSPECT["datasets"], asked(dataset)))
    deadline = time.monotonic() + SECONDS
    while registry.document(stack.store, "datasets", dataset)["state"] == "inspecting":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_messages_by_hand_run_nothing_and_the_worker_goes_on(stack: Stack, tmp_path: Path) -> None:
    served(stack, "first")
    parent = stack.processes["batch"].pid
    children = descendants(parent)
    canary = tmp_path / "canary"
    poison = pickle.dumps(asked(Payload(canary)))
    shell = {"task": "subprocess.run", "args": [["touch", str(canary)]], "kwargs": {}, "options": {}}
    link = {**shell, "subtask_type": None, "immutable": True}
    known = asked("a" * 24, "b" * 64)
    for by_hand in (
        b"", b"nonsense", b"[]", b"{}", b"7", b"null", b"\xff\xfe\x00", b"[" * 100_000,
        b'{"body": "!", "properties": {}}',
        message(RUN_CHUNK, poison, content_type="application/x-python-serialize", encoding="binary"),
        message(RUN_CHUNK, poison, content_type="application/x-yaml"),
        message(RUN_CHUNK, b"!!python/object/apply:os.system ['touch " + str(canary).encode() + b"']"),
        message("os.system", asked(f"touch {canary}")),
        message("subprocess.run", asked(["touch", str(canary)])),
        message("celery.map", asked(named={"task": shell, "it": [[["touch", str(canary)]]]})),
        message("celery.chain", asked(named={"tasks": [shell]})),
        message("celery.chord_unlock", asked("a", shell)),
        message("workers.tasks.enqueue", asked("os.system", [f"touch {canary}"], CPU)),
        message(RUN_CHUNK, asked()), message(RUN_CHUNK, asked("a")), message(RUN_CHUNK, asked(*"abcdef")),
        message(RUN_CHUNK, asked(["a"], {"b": 1})), message(RUN_CHUNK, asked(named={"job_id": "a", "chunk_key": "b"})),
        message(RUN_CHUNK, asked("../../../../etc", "passwd")), message(RUN_CHUNK, asked("a" * 5_000_000, "b")),
        message(RUN_CHUNK, asked("a\n", "b")), message(RUN_CHUNK, asked("/etc/passwd", "b" * 64)),
        message(RUN_CHUNK, known), message(RUN_CHUNK, asked("a", "b", callbacks=[link], chain=[link])),
        message(RUN_CHUNK, [1, 2]), message(RUN_CHUNK, {"task": "os.system"}),
        message(RUN_CHUNK, known, id=None), message(RUN_CHUNK, known, timelimit="soon"),
        message(RUN_CHUNK, known, eta="never"), message(RUN_CHUNK, known, expires=[]),
        message(INSPECT["models"], asked("../" * 20)), message(SWEEP, asked("now")),
    ):  # fmt: skip
        stack.redis.lpush(CPU, by_hand)
    served(stack, "second")
    assert not canary.exists()
    assert alive(parent)
    assert set(children) <= set(descendants(parent))
    assert stack.redis.llen(CPU) == 0
    deadline = time.monotonic() + SECONDS
    while stack.redis.hlen("unacked"):  # none stays behind to come again, or to take a place from the others
        assert time.monotonic() < deadline
        time.sleep(0.1)


def planned(seed: int) -> Plan:
    """An atlas that has yet to be made."""
    card = ModelCard(name="toy", format="torchvision", architecture="squeezenet1_1", weights="sha256:" + "0" * 64,
                     input=InputCard(channels=3, height=64, width=64, mean=[0, 0, 0], std=[1, 1, 1]))  # fmt: skip
    model = ModelFacts(id="m", card=card, layers=[LayerInfo(name="a", shape=(8, 12, 12))], classes=None)
    dataset = DatasetFacts(id="d", name="d", digest="0", listing="0" * 64, images=32, classes=None)
    request = {"model": "m", "dataset": "d", "layers": ["a"], "samples": 300, "levels": [3, 5], "seed": seed}
    return plan(parse_spec(request), model, dataset)


def test_a_chunk_runs_for_no_job_but_its_own(stack: Stack) -> None:
    ledger, (own, other) = Ledger(stack.redis), (planned(1), planned(2))
    for one in (own, other):
        submit(one, None, stack.store, ledger, lambda *_: None)
    key = other.chunks[-1].key
    assert key not in own.by_key
    stack.redis.lpush(CPU, message(RUN_CHUNK, asked(own.id, key)))
    served(stack, "fourth")
    assert ledger.states([key])[0].state == "waiting"
    assert [registry.document(stack.store, "jobs", one.id)["state"] for one in (own, other)] == ["queued", "queued"]


def test_a_worker_cannot_be_told_to_stop_or_to_do_something_else(stack: Stack) -> None:
    from celery import Celery

    with Celery("stranger", broker=_url(stack)) as stranger:
        stranger.control.broadcast("shutdown")
        stranger.control.broadcast("add_consumer", arguments={"queue": "other"})
        stranger.control.broadcast("pool_shrink", arguments={"n": 1})
        answer = stranger.control.inspect(timeout=5, limit=1).ping()
    assert answer
    served(stack, "third")
    assert alive(stack.processes["batch"].pid)


def _url(stack: Stack) -> str:
    place = stack.redis.connection_pool.connection_kwargs
    return f"redis://{place['host']}:{place['port']}/{place.get('db', 0)}"
