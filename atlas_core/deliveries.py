"""Deliveries: what webhooks are owed, from the moment a job ends until somebody has answered.

A delivery is a document in the store, written when the job ends and kept until it is answered or all attempts are
used up; Redis only says when the next one is due, and is filled again from the store when it was flushed. So a
delivery may arrive twice, always under the same `webhook-id`, and is not lost with any process or with Redis.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING

from atlas_core import registry, webhooks
from atlas_core.errors import InputError
from atlas_core.keys import canonical_json, digest
from atlas_core.outgoing import Allowed, Answer, UndeliveredError, post

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atlas_core.ledger import Ledger
    from atlas_core.registry import Document
    from atlas_core.settings import Settings
    from atlas_core.store import Store

DOCUMENTS = "deliveries"
KEPT = 20
"""Deliveries of a webhook that are kept once they are done: the newest."""
GONE = 410
AGAIN_SECONDS = 60.0
"""After which a delivery whose worker died is due again; longer than `ATTEMPT_FACTOR` times the longest attempt."""
ATTEMPT_FACTOR = 2
JITTER = 0.2
LONGEST_RETRY_AFTER = 86_400.0
TOLD = ("id", "kind", "name", "state", "attempt", "digest", "error", "created", "started", "finished")


@dataclass(frozen=True)
class Terms:
    """How deliveries are made.

    Attributes:
        allowed: Where they may go.
        seconds: That an attempt may take.
        pauses: Seconds after the first, second and further attempts; with the one after the last it has failed.
    """

    allowed: Allowed
    seconds: float
    pauses: Sequence[float]


def terms_of(settings: Settings) -> Terms:
    """What the operator allows."""
    return Terms(allowed_by(settings), settings.webhook_seconds, settings.webhook_retry_seconds)


def allowed_by(settings: Settings) -> Allowed:
    """Where the operator lets webhooks go."""
    return Allowed(tuple(settings.webhook_hosts), tuple(settings.webhook_networks), settings.webhook_http)


# When a job ends


def payload(job: Document) -> Document:
    """What is told of a job that has ended."""
    links = {"job": f"/v1/jobs/{job['id']}"}
    links[job["kind"]] = registry.address_of(job)
    if job["kind"] == "atlas":
        links["viewer"] = f"/?atlas={job['id']}"
    elif job["atlas"] is not None:
        links["atlas"] = f"/v1/atlases/{job['atlas']}"
    data = {field: job.get(field) for field in TOLD} | {"links": links}
    return {"type": f"job.{job['state']}", "timestamp": job["finished"], "data": data}


def announce(job_id: str, store: Store, ledger: Ledger) -> None:
    """Have everybody told of a job that has ended, unless that was seen to already.

    What is owed is written before the job is marked as announced, so a process that dies between the two leaves
    nothing unsaid; what is written twice is the same delivery.

    Args:
        job_id: A job whose document says `announced: false`; any other is left alone.
        store: Holds the job, the webhooks and the deliveries.
        ledger: Notes when the deliveries are due.
    """
    while True:
        numbers = store.document_versions("jobs", job_id)
        job = store.get_version("jobs", job_id, numbers[-1]) if numbers else None
        if job is None or job.get("announced", True):
            return
        told = payload(job)
        for hook in store.get_documents(webhooks.DOCUMENTS):
            if told["type"] in hook["events"] and hook["state"] == "active" and webhooks.hears(hook, job):
                _owe(hook["id"], told, store, ledger)
        if store.create_version("jobs", job_id, numbers[-1] + 1, {**job, "announced": True}):
            return


def _owe(webhook: str, told: Document, store: Store, ledger: Ledger) -> None:
    job, now = told["data"], registry.now()
    message = "msg_" + digest([webhook, job["id"], job["attempt"], told["type"], told["timestamp"]])[:24]
    value = {
        "id": message, "webhook": webhook, "job": job["id"], "type": told["type"],
        "body": canonical_json(told).decode(), "state": "pending", "attempts": 0, "status": None, "error": None,
        "created": now, "due": now, "delivered": None,
    }  # fmt: skip
    if store.create_version(DOCUMENTS, _name(value), 0, value):
        ledger.deadlines.later(_name(value), 0)


def recover(store: Store, ledger: Ledger) -> None:
    """Note again what the store says is owed: Redis may have been flushed, a process have died."""
    for job in registry.documents(store, "jobs"):
        if job.get("announced") is False:
            announce(job["id"], store, ledger)
    hooks = set(store.document_names(webhooks.DOCUMENTS))
    for found in store.get_documents(DOCUMENTS):
        if found["webhook"] not in hooks:
            store.delete_document(DOCUMENTS, _name(found))
        elif found["state"] == "pending":
            ledger.deadlines.later(_name(found), _until(found["due"]), unless_noted=True)


def of_webhook(store: Store, webhook: str) -> list[Document]:
    """The deliveries of a webhook that are kept, the newest first."""
    found = (value for value in store.get_documents(DOCUMENTS) if value["webhook"] == webhook)
    return sorted(found, key=lambda value: (value["created"], value["id"]), reverse=True)


def _name(delivery: Document) -> str:
    return f"{delivery['webhook']}-{delivery['id']}"


# When one is due


def deliver(name: str, store: Store, ledger: Ledger, terms: Terms) -> None:
    """Make one attempt at a delivery that is due, and note how it went.

    Args:
        name: As the ledger's deadlines name it.
        store: Holds it and its webhook.
        ledger: Keeps two workers from the same attempt.
        terms: Where to, how long, how often.
    """
    found = store.get_document(DOCUMENTS, name)
    hook = None if found is None else store.get_document(webhooks.DOCUMENTS, found["webhook"])
    if found is None or hook is None or found["state"] != "pending":
        ledger.deadlines.drop(name)
        return
    if not ledger.once(f"deliver:{name}:{found['attempts']}", ATTEMPT_FACTOR * terms.seconds):
        return
    if hook["state"] == "gone":
        value = {**found, "state": "failed", "due": None, "error": "an earlier answer was 410; register it again"}
    else:
        value = _after_attempt(found, *_attempt(hook, found, terms), terms.pauses)
    store.append_document(DOCUMENTS, name, value)
    if value["status"] == GONE:
        webhooks.give_up(hook["id"], store, ledger)
    if value["state"] == "pending":
        ledger.deadlines.later(name, _until(value["due"]))
        return
    ledger.deadlines.drop(name)
    store.trim_document(DOCUMENTS, name)
    for old in [one for one in of_webhook(store, hook["id"]) if one["state"] != "pending"][KEPT:]:
        store.delete_document(DOCUMENTS, _name(old))


def _until(due: str) -> float:
    return max(0.0, (datetime.fromisoformat(due) - datetime.now(UTC)).total_seconds())


def _attempt(hook: Document, found: Document, terms: Terms) -> tuple[Answer | None, str | None]:
    """The answer, and why it does not count as delivered."""
    body, moment = str(found["body"]).encode(), int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"activation-atlas/{version('activation-atlas')}",
        "webhook-id": found["id"],
        "webhook-timestamp": str(moment),
        "webhook-signature": webhooks.sign(hook["secret"], found["id"], moment, body),
    }
    try:
        answer = post(hook["url"], body, headers, terms.allowed, terms.seconds)
    except (InputError, UndeliveredError) as error:
        return None, error.detail
    if 200 <= answer.status < 300:
        return answer, None
    return answer, f"the answer was {answer.status}" + (
        ", and redirects are not followed" if 300 <= answer.status < 400 else ""
    )


def _after_attempt(found: Document, answer: Answer | None, error: str | None, pauses: Sequence[float]) -> Document:
    attempts = found["attempts"] + 1
    value = {**found, "attempts": attempts, "status": answer and answer.status, "error": error, "due": None}
    if error is None:
        return value | {"state": "delivered", "delivered": registry.now()}
    if attempts > len(pauses) or value["status"] == GONE:
        return value | {"state": "failed"}
    pause = pauses[attempts - 1] * random.uniform(1, 1 + JITTER)
    if answer is not None and answer.retry_after is not None:
        pause = max(pause, min(answer.retry_after, LONGEST_RETRY_AFTER))
    return value | {"due": registry.rfc3339(datetime.now(UTC) + timedelta(seconds=pause))}
