from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atlas_core import deliveries, registry, webhooks
from atlas_core.deliveries import KEPT, Terms, announce, deliver, of_webhook, payload, recover
from atlas_core.ledger import Ledger
from atlas_core.outgoing import Allowed
from atlas_core.redis_client import connect
from atlas_core.store import Store, open_store
from tests.receiver import Receiver, receiving

if TYPE_CHECKING:
    import redis

TERMS = Terms(Allowed(("127.0.0.1:*",)), 5, [0.0, 0.0])
JOB = "a" * 24


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def client(redis_server: str) -> Iterator[redis.Redis]:
    with connect(redis_server) as made:
        made.flushall()
        yield made


@pytest.fixture
def ledger(client: redis.Redis) -> Ledger:
    return Ledger(client)


def ended(store: Store, state: str = "succeeded", **changes: Any) -> dict[str, Any]:
    """A job that has ended and of which nobody was told."""
    error = {"type": "internal", "detail": "no"} if state == "failed" else None
    job = {
        "id": JOB, "kind": "atlas", "name": "map", "state": state, "attempt": 1, "error": error, "digest": None,
        "created": "2026-01-01T00:00:00.000Z", "started": None, "finished": "2026-01-01T00:00:09.000Z",
        "spec": {}, "announced": False, **changes,
    }  # fmt: skip
    store.append_document("jobs", job["id"], job)
    return job


def due(store: Store, ledger: Ledger, terms: Terms = TERMS) -> int:
    """Make an attempt at all that is due; gives how many."""
    names = ledger.deadlines.take(60)
    for name in names:
        deliver(name, store, ledger, terms)
    return len(names)


def hook_of(store: Store, receiver: Receiver, *events: str) -> dict[str, Any]:
    return webhooks.add(store, receiver.url, events or webhooks.EVENTS)


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_the_end_of_a_job_is_told_and_signed(store: Store, ledger: Ledger, state: str) -> None:
    with receiving(204) as receiver:
        hook = hook_of(store, receiver)
        job = ended(store, state)
        announce(JOB, store, ledger)
        assert due(store, ledger) == 1
    (message,) = receiver.messages
    assert message.is_signed_with(hook["secret"])
    assert not message.is_signed_with("whsec_" + "A" * 32)
    assert message.headers["content-type"] == "application/json"
    told = json.loads(message.body)
    assert (told["type"], told["timestamp"]) == (f"job.{state}", job["finished"])
    assert {name: told["data"][name] for name in ("id", "state", "attempt", "error", "name")} == {
        name: job[name] for name in ("id", "state", "attempt", "error", "name")
    }
    assert told["data"]["links"] == {
        "job": f"/v1/jobs/{JOB}", "atlas": f"/v1/atlases/{JOB}", "viewer": f"/?atlas={JOB}",
    }  # fmt: skip
    assert due(store, ledger) == 0


def test_a_receiver_that_fails_twice_is_told_once_under_one_id(store: Store, ledger: Ledger) -> None:
    with receiving(503, 500, 204) as receiver:
        hook = hook_of(store, receiver)
        ended(store)
        announce(JOB, store, ledger)
        assert [due(store, ledger) for _ in range(4)] == [1, 1, 1, 0]
    assert [message.status for message in receiver.messages] == [503, 500, 204]
    assert len({message.id for message in receiver.messages}) == 1
    assert all(message.is_signed_with(hook["secret"]) for message in receiver.messages)
    (delivery,) = of_webhook(store, hook["id"])
    assert (delivery["state"], delivery["attempts"], delivery["status"], delivery["error"]) == (
        "delivered", 3, 204, None,
    )  # fmt: skip
    assert len(store.document_versions("deliveries", f"{hook['id']}-{delivery['id']}")) == 1


def test_when_the_attempts_are_used_up_it_has_failed(store: Store, ledger: Ledger) -> None:
    with receiving(404) as receiver:
        hook = hook_of(store, receiver)
        ended(store)
        announce(JOB, store, ledger)
        assert [due(store, ledger) for _ in range(4)] == [1, 1, 1, 0]
    (delivery,) = of_webhook(store, hook["id"])
    assert (delivery["state"], delivery["attempts"], delivery["error"]) == ("failed", 3, "the answer was 404")


def test_pauses_grow_and_the_receiver_may_ask_for_longer(store: Store, ledger: Ledger) -> None:
    with receiving(503) as receiver:
        hook = hook_of(store, receiver)
        ended(store)
        announce(JOB, store, ledger)
        due(store, ledger, Terms(TERMS.allowed, 5, [100, 1000]))
        assert 95 < wait_of(store, hook) < 121
        receiver.headers["Retry-After"] = "5000"
        deliver(name_of(store, hook), store, ledger, Terms(TERMS.allowed, 5, [100, 1000]))
        assert 4995 < wait_of(store, hook) < 5001
    assert due(store, ledger) == 0


def name_of(store: Store, hook: dict[str, Any]) -> str:
    (delivery,) = of_webhook(store, hook["id"])
    return f"{hook['id']}-{delivery['id']}"


def wait_of(store: Store, hook: dict[str, Any]) -> float:
    (delivery,) = of_webhook(store, hook["id"])
    return deliveries._until(delivery["due"])


def test_redirects_and_hosts_that_are_no_longer_allowed_are_said(store: Store, ledger: Ledger) -> None:
    with receiving(302) as receiver:
        hook = hook_of(store, receiver)
        ended(store)
        announce(JOB, store, ledger)
        due(store, ledger)
        assert of_webhook(store, hook["id"])[0]["error"] == "the answer was 302, and redirects are not followed"
        due(store, ledger, Terms(Allowed(), 5, [0.0, 0.0]))
    assert "ATLAS_WEBHOOK_HOSTS" in of_webhook(store, hook["id"])[0]["error"]
    assert len(receiver.messages) == 1


def test_a_receiver_that_is_gone_is_told_nothing_more(store: Store, ledger: Ledger) -> None:
    with receiving(410) as receiver:
        hook = hook_of(store, receiver)
        ended(store)
        announce(JOB, store, ledger)
        ended(store, id="b" * 24)
        announce("b" * 24, store, ledger)
        assert due(store, ledger) == 2
        ended(store, id="c" * 24)
        announce("c" * 24, store, ledger)
        assert due(store, ledger) == 0
    assert len(receiver.messages) == 1
    assert webhooks.get(store, hook["id"])["state"] == "gone"
    assert [one["state"] for one in of_webhook(store, hook["id"])] == ["failed", "failed"]


def test_only_the_events_asked_for_are_told_and_each_once(store: Store, ledger: Ledger) -> None:
    with receiving(204) as receiver:
        hook_of(store, receiver, "job.failed")
        ended(store, "succeeded")
        announce(JOB, store, ledger)
        assert due(store, ledger) == 0
        for attempt in (2, 3):
            ended(store, "failed", attempt=attempt)
            announce(JOB, store, ledger)
            announce(JOB, store, ledger)
        assert due(store, ledger) == 2
    assert sorted(json.loads(message.body)["data"]["attempt"] for message in receiver.messages) == [2, 3]
    assert len({message.id for message in receiver.messages}) == 2


def test_what_redis_forgot_is_found_in_the_store(store: Store, ledger: Ledger, client: redis.Redis) -> None:
    with receiving(503, 204) as receiver:
        hook_of(store, receiver)
        ended(store)
        announce(JOB, store, ledger)
        client.flushall()
        assert due(store, ledger) == 0
        recover(store, ledger)
        assert due(store, ledger) == 1
        client.flushall()
        recover(store, ledger)
        recover(store, ledger)
        assert due(store, ledger) == 1
        client.flushall()
        recover(store, ledger)
        assert due(store, ledger) == 0
    assert [message.status for message in receiver.messages] == [503, 204]
    assert len({message.id for message in receiver.messages}) == 1


def test_a_process_that_died_before_it_told_anybody_is_made_up_for(store: Store, ledger: Ledger) -> None:
    with receiving(204) as receiver:
        hook_of(store, receiver)
        ended(store)
        recover(store, ledger)
        recover(store, ledger)
        assert due(store, ledger) == 1
    assert registry.document(store, "jobs", JOB)["announced"] is True


def test_a_job_asked_for_again_meanwhile_stays_as_it_is(store: Store, ledger: Ledger) -> None:
    ended(store)
    store.append_document("jobs", JOB, {**registry.document(store, "jobs", JOB), "state": "queued", "announced": True})
    announce(JOB, store, ledger)
    assert registry.document(store, "jobs", JOB)["state"] == "queued"


def test_what_a_deleted_webhook_is_owed_is_deleted(store: Store, ledger: Ledger) -> None:
    with receiving(204) as receiver:
        hook = hook_of(store, receiver)
        ended(store)
        announce(JOB, store, ledger)
        webhooks.delete(hook["id"], store, ledger)
        assert due(store, ledger) == 1
        recover(store, ledger)
    assert receiver.messages == []
    assert store.document_names("deliveries") == []


def test_the_newest_that_are_done_are_kept(store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "KEPT", 2)
    with receiving(204) as receiver:
        hook = hook_of(store, receiver)
        for attempt in range(4):
            ended(store, attempt=attempt, finished=f"2026-01-01T00:00:0{attempt}.000Z")
            announce(JOB, store, ledger)
            due(store, ledger)
    assert KEPT > 2
    assert [json.loads(one["body"])["data"]["attempt"] for one in of_webhook(store, hook["id"])] == [3, 2]


ATTEMPT = """
import sys
from atlas_core.deliveries import Terms, deliver
from atlas_core.ledger import Ledger
from atlas_core.redis_client import connect
from atlas_core.outgoing import Allowed
from atlas_core.store import open_store
name, store, redis = sys.argv[1:]
deliver(name, open_store(store), Ledger(connect(redis)), Terms(Allowed(("127.0.0.1:*",)), 0.5, [0.0]))
"""


def test_an_attempt_whose_process_is_killed_is_made_again(
    store: Store, ledger: Ledger, redis_server: str, tmp_path: Path
) -> None:
    with receiving(204) as receiver:
        hook = hook_of(store, receiver)
        receiver.seconds = 3
        ended(store)
        announce(JOB, store, ledger)
        (name,) = ledger.deadlines.take(0.5)
        arguments = [sys.executable, "-c", ATTEMPT, name, str(tmp_path / "store"), redis_server]
        with subprocess.Popen(arguments) as process:
            receiver.wait(1)
            process.send_signal(signal.SIGKILL)
        receiver.seconds = 0
        deadline = time.monotonic() + 30
        while of_webhook(store, hook["id"])[0]["state"] == "pending" and time.monotonic() < deadline:
            for due_again in ledger.deadlines.take(0.5):
                deliver(due_again, store, ledger, TERMS)
            time.sleep(0.05)
    assert len(receiver.messages) == 2
    assert len({message.id for message in receiver.messages}) == 1
    assert of_webhook(store, hook["id"])[0]["attempts"] == 1


def test_icons_are_told_with_where_they_are() -> None:
    job = {"id": "i", "kind": "icons", "atlas": "a", "state": "succeeded", "finished": "2026-01-01T00:00:09.000Z"}
    assert payload(job)["data"]["links"] == {
        "job": "/v1/jobs/i", "atlas": "/v1/atlases/a", "icons": "/v1/atlases/a/icons/i",
    }  # fmt: skip
