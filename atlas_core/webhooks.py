"""Webhooks: who is told that a job has ended, signed as in Standard Webhooks, again and again until it is heard.

A delivery is a document in the store, written when the job ends and kept until somebody has answered or all attempts
are used up; Redis only says when the next one is due, and is filled again from the store when it was flushed. The same
delivery may arrive twice, always under the same `webhook-id`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING

from atlas_core import registry
from atlas_core.errors import ConflictError, InputError, NotFoundError
from atlas_core.keys import canonical_json, digest
from atlas_core.outgoing import Allowed, UndeliveredError

if TYPE_CHECKING:
    from atlas_core.ledger import Ledger
    from atlas_core.registry import Document
    from atlas_core.settings import Settings
    from atlas_core.store import Store

log = logging.getLogger(__name__)
Post = Callable[[str, bytes, Mapping[str, str]], int]
"""Called with a URL, a body and headers; gives the status of the answer."""

EVENTS = ("job.succeeded", "job.failed", "job.cancelled")
ALL = "*"
DOCUMENTS = "webhooks"
SECRET_PREFIX = "whsec_"
SECRET_BYTES = (24, 64)
KEPT = 100
"""Deliveries of a webhook that are kept once they are done: the newest."""
SHOWN = 20
GONE = 410
"""A receiver that says so is not asked again."""
AGAIN_SECONDS = 60.0
"""After which a delivery that nobody finished is enqueued again."""


def allowed(settings: Settings) -> Allowed:
    """Where the operator lets webhooks go."""
    networks = tuple(ipaddress.ip_network(text) for text in settings.webhook_networks)
    return Allowed(tuple(settings.webhook_hosts), networks, settings.webhook_http)


def add(store: Store, url: str, events: Sequence[str], secret: str | None) -> tuple[Document, bool]:
    """Enter a webhook; the same URL and events are the same one.

    Args:
        store: Where it goes.
        url: Where to; checked already.
        events: Of `EVENTS`, or `*`.
        secret: As `check_secret` takes it; made up where it is None.

    Returns:
        The webhook with its secret, and whether it is new.

    Raises:
        ConflictError: It is known with another secret.
    """
    wanted = [ALL] if ALL in events else sorted(set(events))
    name = digest(["webhook", url, wanted])[:24]
    made = secret or SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES[0] + 8)).decode()
    value = {"id": name, "url": url, "events": wanted, "secret": made, "created": registry.now()}
    known = store.get_document(DOCUMENTS, name)
    if known is None and store.create_version(DOCUMENTS, name, 0, value):
        return value, True
    known = known or get(store, name)
    if secret is not None and not hmac.compare_digest(secret, known["secret"]):
        raise ConflictError(f"the webhook {name} is there with another secret; delete it first")
    return known, False


def check_secret(secret: str) -> None:
    """Refuse a secret that is none of Standard Webhooks.

    Raises:
        InputError: It is not `whsec_` and the base64 of 24 to 64 bytes.
    """
    try:
        size = len(_key(secret)) if secret.startswith(SECRET_PREFIX) else 0
    except (binascii.Error, ValueError):
        size = 0
    least, most = SECRET_BYTES
    if not least <= size <= most:
        raise InputError(f"a secret is {SECRET_PREFIX} and {least} to {most} bytes in base64; or leave it out, and one "
                         "is made", pointer="/secret")  # fmt: skip


def get(store: Store, name: str) -> Document:
    """A webhook, with its secret.

    Raises:
        NotFoundError: There is none of this id.
    """
    found = store.get_document(DOCUMENTS, name)
    if found is None:
        raise NotFoundError(f"there is no webhook {name!r} here; list /v1/webhooks for those there are")
    return found


def listed(store: Store) -> list[Document]:
    """All webhooks, in order of their making."""
    return sorted(store.get_documents(DOCUMENTS), key=lambda value: (value["created"], value["id"]))


def delete(store: Store, name: str) -> None:
    """Delete a webhook with its secret and its deliveries; what is pending is not delivered.

    Raises:
        NotFoundError: There is none of this id.
    """
    get(store, name)
    store.delete_document(DOCUMENTS, name)
    for message in store.document_names(_deliveries(name)):
        store.delete_document(_deliveries(name), message)


def deliveries(store: Store, name: str) -> list[Document]:
    """The deliveries of a webhook that are kept, the newest first."""
    found = store.get_documents(_deliveries(name))
    return sorted(found, key=lambda value: (value["created"], value["id"]), reverse=True)


def _deliveries(name: str) -> str:
    return f"deliveries-{name}"


# When a job ends


def listeners(store: Store, state: str) -> list[str]:
    """Ids of the webhooks that want to hear of a job's last state."""
    return [hook["id"] for hook in store.get_documents(DOCUMENTS)
            if ALL in hook["events"] or f"job.{state}" in hook["events"]]  # fmt: skip


def payload(job: Document) -> Document:
    """What is told of a job that has ended."""
    fields = ("id", "kind", "name", "state", "attempt", "digest", "error", "created", "started", "finished")
    links = {"self": f"/v1/jobs/{job['id']}"}
    if job["kind"] == "atlas":
        links["atlas"] = f"/v1/atlases/{job['id']}"
    data = {field: job.get(field) for field in fields} | {"links": links}
    return {"type": f"job.{job['state']}", "timestamp": job["finished"], "data": data}


def announce(job: Document, store: Store, ledger: Ledger) -> Document:
    """Have everybody told of a job that has ended, unless that was seen to already.

    What is to be told is written before the job is marked as announced, so a process that dies between the two leaves
    nothing unsaid. Called under the job's lock.
    """
    if job.get("announced", True):
        return job
    told = payload(job)
    body = canonical_json(told).decode()
    for name in listeners(store, job["state"]):
        message = "msg_" + digest([name, job["id"], job["attempt"], told["type"], job["finished"]])[:24]
        now = registry.now()
        value = {
            "id": message, "webhook": name, "job": job["id"], "type": told["type"], "body": body, "state": "pending",
            "attempts": 0, "status": None, "error": None, "created": now, "due": now, "delivered": None,
        }  # fmt: skip
        store.create_version(_deliveries(name), message, 0, value)
        ledger.deadlines.later(f"{name}/{message}", 0)
    return registry.update(store, "jobs", job["id"], announced=True)


def recover(store: Store, ledger: Ledger) -> None:
    """Note again what the store says is to be delivered: Redis may have been flushed, a process have died."""
    for job in registry.documents(store, "jobs"):
        if job.get("announced") is False:
            with ledger.lock(job["id"]):
                announce(registry.document(store, "jobs", job["id"]), store, ledger)
    for hook in store.get_documents(DOCUMENTS):
        for found in store.get_documents(_deliveries(hook["id"])):
            if found["state"] == "pending":
                wait = max(0.0, (datetime.fromisoformat(found["due"]) - datetime.now(UTC)).total_seconds())
                ledger.deadlines.later(f"{hook['id']}/{found['id']}", wait, unless_noted=True)


# Deliveries


def deliver(name: str, store: Store, ledger: Ledger, post: Post, pauses: Sequence[float], seconds: float) -> None:
    """Make one attempt at a delivery that is due, and note how it went.

    Args:
        name: Webhook and message, as the ledger's deadlines name them.
        store: Holds both.
        ledger: Keeps two workers from the same attempt.
        post: Sends it.
        pauses: Seconds after the first, second and further attempts; with the one after the last it has failed.
        seconds: That an attempt may take.
    """
    webhook, _, message = name.partition("/")
    hook = store.get_document(DOCUMENTS, webhook)
    found = store.get_document(_deliveries(webhook), message)
    if hook is None or found is None or found["state"] != "pending":
        ledger.deadlines.drop(name)
        return
    if not ledger.once(f"deliver:{name}:{found['attempts']}", 2 * seconds + 5):
        return
    status, error = _attempt(hook, found, post)
    attempts = found["attempts"] + 1
    value = {**found, "attempts": attempts, "status": status, "error": error}
    if error is None:
        value |= {"state": "delivered", "delivered": registry.now(), "due": None}
    elif attempts > len(pauses) or status == GONE:
        value |= {"state": "failed", "due": None}
    else:
        due = datetime.now(UTC) + timedelta(seconds=pauses[attempts - 1])
        value["due"] = due.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    store.append_document(_deliveries(webhook), message, value)
    if value["due"] is not None:
        ledger.deadlines.later(name, pauses[attempts - 1])
        return
    ledger.deadlines.drop(name)
    _forget_oldest(store, webhook)


def _attempt(hook: Document, found: Document, post: Post) -> tuple[int | None, str | None]:
    """Status of the answer, and why it does not count as delivered."""
    body = str(found["body"]).encode()
    moment = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"activation-atlas/{version('activation-atlas')}",
        "webhook-id": found["id"],
        "webhook-timestamp": str(moment),
        "webhook-signature": sign(hook["secret"], found["id"], moment, body),
    }
    try:
        status = post(hook["url"], body, headers)
    except (InputError, UndeliveredError) as error:
        return None, error.detail
    if 200 <= status < 300:
        return status, None
    return status, f"the answer was {status}" + (", and redirects are not followed" if 300 <= status < 400 else "")


def sign(secret: str, message: str, moment: int, body: bytes) -> str:
    """The signature of Standard Webhooks, version 1.

    Args:
        secret: `whsec_` and base64.
        message: The `webhook-id`.
        moment: Seconds since 1970, the `webhook-timestamp`.
        body: The bytes that are sent.
    """
    signed = b"%s.%d.%s" % (message.encode(), moment, body)
    return "v1," + base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)


def _forget_oldest(store: Store, webhook: str) -> None:
    done = [value for value in deliveries(store, webhook) if value["state"] != "pending"]
    for value in done[KEPT:]:
        store.delete_document(_deliveries(webhook), value["id"])
