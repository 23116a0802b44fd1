"""Webhooks: who is told that a job has ended, and the signature by which they know that it is true.

Ids, headers and signatures are those of Standard Webhooks 1.0.0; `deliveries` sees to it that everybody is told.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from atlas_core import registry
from atlas_core.errors import ConflictError, NotFoundError
from atlas_core.owners import EVERYBODY, owners_of

if TYPE_CHECKING:
    from atlas_core.ledger import Ledger
    from atlas_core.registry import Document
    from atlas_core.store import Store

Event = Literal["job.succeeded", "job.failed", "job.cancelled"]
EVENTS: tuple[Event, ...] = get_args(Event)
DOCUMENTS = "webhooks"
SECRET_PREFIX = "whsec_"
SECRET_BYTES = 32
MOST = 100


def add(store: Store, url: str, events: Sequence[str]) -> Document:
    """Enter a webhook, with an id and a secret of its own; it is told of the jobs of the store's owner and everybody's.

    Args:
        store: Where it goes.
        url: Where to; checked already.
        events: Of `EVENTS`.

    Returns:
        The webhook with its secret.

    Raises:
        ConflictError: There are as many as there may be.
    """
    if len(store.document_names(DOCUMENTS)) >= MOST:
        raise ConflictError(f"there are {MOST} webhooks already; delete one with DELETE /v1/webhooks/ID")
    name = secrets.token_hex(12)
    value = {
        "id": name, "url": url, "events": sorted(set(events)), "state": "active",
        "secret": SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode(),
        "created": registry.now(), "owner": store.owner,
    }  # fmt: skip
    store.append_document(DOCUMENTS, name, value)
    return value


def get(store: Store, name: str) -> Document:
    """A webhook, with its secret.

    Raises:
        NotFoundError: There is none of this id.
    """
    found = store.get_document(DOCUMENTS, name)
    if found is None:
        raise NotFoundError(f"there is no webhook {name[:80]!r} here; list /v1/webhooks for those there are")
    return found


def listed(store: Store) -> list[Document]:
    """All webhooks, with their secrets, in order of their making."""
    return sorted(store.get_documents(DOCUMENTS), key=lambda value: (value["created"], value["id"]))


def delete(name: str, store: Store, ledger: Ledger) -> None:
    """Delete a webhook and its secret; what is owed to it is not delivered.

    Raises:
        NotFoundError: There is none of this id.
    """
    with ledger.lock(_lock(name)):
        get(store, name)
        store.delete_document(DOCUMENTS, name)


def hears(webhook: Document, job: Document) -> bool:
    """Whether a webhook is told of a job: of its owner's and everybody's."""
    return owners_of(job) <= owners_of(webhook) | {EVERYBODY}


def give_up(name: str, store: Store, ledger: Ledger) -> None:
    """Tell a webhook nothing more: its receiver said that it is gone for good."""
    with ledger.lock(_lock(name)):
        found = store.get_document(DOCUMENTS, name)
        if found is not None and found["state"] == "active":
            store.append_document(DOCUMENTS, name, {**found, "state": "gone"})


def _lock(name: str) -> str:
    return f"{DOCUMENTS}/{name}"


def sign(secret: str, message: str, moment: int, body: bytes) -> str:
    """The symmetric signature of Standard Webhooks, version 1.

    Args:
        secret: `whsec_` and base64.
        message: The `webhook-id`.
        moment: Seconds since 1970, the `webhook-timestamp`.
        body: The bytes that are sent.
    """
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    signed = b"%s.%d.%s" % (message.encode(), moment, body)
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
