"""API keys: made and revoked by command, kept as hashes in the store, known to each process for a few seconds.

A key is 256 random bits, so one SHA-256 of it is as hard to undo as a slow hash is of a password.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from atlas_core import registry
from atlas_core.errors import ConflictError, InputError, NotFoundError
from atlas_core.owners import NAME as OWNER
from service.access.principal import Principal, Scope

if TYPE_CHECKING:
    from atlas_core.registry import Document
    from atlas_core.store import Store

DOCUMENTS = "keys"
PREFIX = "atlas_"
"""Begins every key, so that scanners find one that was committed."""
UNKNOWN = hashlib.sha256(b"no key").hexdigest()
AGAIN_SECONDS = 1.0
"""After which the store is asked again for a key that is not known."""


def check_owner(owner: str) -> str:
    """An owner's name, as it can be one.

    Raises:
        InputError: It holds what it may not.
    """
    if not re.fullmatch(OWNER, owner):
        raise InputError(f"{owner[:80]!r} can be no owner: a letter or digit, then letters, digits, `.`, `_`, `@`, `/` "
                         "and `-`, at most 64 in all")  # fmt: skip
    return owner


def create(
    store: Store, name: str, owner: str, scopes: Iterable[Scope], *, by: str, days: float | None = None,
    limits: Mapping[str, int] | None = None,
) -> tuple[str, Document]:  # fmt: skip
    """Make a key.

    Args:
        store: Where its hash goes.
        name: For people.
        owner: In whose name it acts; several keys may act for one.
        scopes: What it may do.
        by: Who makes it.
        days: After which it is of no use any more; None for never.
        limits: In place of the settings', by their names.

    Returns:
        The key, which is nowhere else, and what is kept of it.

    Raises:
        InputError: The owner's name can be none, or there is no scope.
    """
    check_owner(owner)
    if not (wanted := sorted(set(scopes))):
        raise InputError("a key takes a scope at least: read, write, admin or metrics")
    identity = secrets.token_hex(8)
    token = f"{PREFIX}{identity}_{secrets.token_urlsafe(32)}"
    now = datetime.now(UTC)
    value: Document = {
        "id": identity, "name": name, "owner": owner, "scopes": wanted, "sha256": _hash(token),
        "limits": dict(limits or {}), "created": registry.rfc3339(now), "created_by": by,
        "expires": None if days is None else registry.rfc3339(now + timedelta(days=days)),
        "revoked": None, "revoked_by": None,
    }  # fmt: skip
    store.append_document(DOCUMENTS, identity, value)
    return token, value


def shown(key: Document) -> Document:
    """What may be shown of a key that is kept."""
    return {name: value for name, value in key.items() if name != "sha256"}


def listed(store: Store) -> list[Document]:
    """All keys, revoked ones too, in order of their making; none shows the key itself."""
    return sorted(map(shown, store.get_documents(DOCUMENTS)), key=lambda value: (value["created"], value["id"]))


def revoke(store: Store, identity: str, *, by: str) -> Document:
    """Have a key be of no use any more, within `ATLAS_KEY_CACHE_SECONDS`; what it made stays its owner's.

    Raises:
        NotFoundError: There is none of this id.
        ConflictError: It was revoked before.
    """
    found = store.get_document(DOCUMENTS, identity)
    if found is None:
        raise NotFoundError(f"there is no key {identity[:40]!r}; `atlas keys list` shows those there are")
    if found["revoked"]:
        raise ConflictError(f"the key {identity} was revoked at {found['revoked']}")
    value = {**found, "revoked": registry.now(), "revoked_by": by}
    store.append_document(DOCUMENTS, identity, value)
    return value


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class KeyRing:
    """The keys that are of use, read from the store every few seconds and not for each request.

    Args:
        store: Where they are.
        seconds: That what was read is believed, so that a revoked key may still be of use.
        clock: Seconds that only grow.
        now: The time, by which keys expire.
    """

    def __init__(
        self,
        store: Store,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Nothing is read yet."""
        self._store, self._seconds, self._clock, self._now = store, seconds, clock, now
        self._lock = threading.Lock()
        self._keys: dict[str, Document] = {}
        self._read: float | None = None

    def is_fresh(self, identity: str) -> bool:
        """Whether `find` can tell of a key without asking the store."""
        age = self._age()
        return age < self._seconds and (identity in self._keys or age < AGAIN_SECONDS)

    def find(self, token: str) -> Principal | None:
        """Who has this key; None of one that is unknown, expired or revoked."""
        identity = token.removeprefix(PREFIX).partition("_")[0]
        known = self._known(identity)
        same = hmac.compare_digest(_hash(token), UNKNOWN if known is None else known["sha256"])
        return self._principal(known) if same and known is not None else None

    def by_id(self, identity: str) -> Principal | None:
        """Who has the key of this id, None as in `find`."""
        known = self._known(identity)
        return None if known is None else self._principal(known)

    def _known(self, identity: str) -> Document | None:
        if not self.is_fresh(identity):
            with self._lock:
                if not self.is_fresh(identity):
                    self._keys = {key["id"]: key for key in self._store.get_documents(DOCUMENTS)}
                    self._read = self._clock()
        return self._keys.get(identity)

    def _age(self) -> float:
        return float("inf") if self._read is None else self._clock() - self._read

    def _principal(self, key: Mapping[str, Any]) -> Principal | None:
        expired = key["expires"] is not None and datetime.fromisoformat(key["expires"]) <= self._now()
        if key["revoked"] or expired:
            return None
        return Principal.of(f"key:{key['id']}", key["name"], key["owner"], frozenset(key["scopes"]), key["limits"])
