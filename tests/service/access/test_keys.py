from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from atlas_core.errors import ConflictError, InputError, NotFoundError
from atlas_core.keys import canonical_json
from service.access.keys import KeyRing, create, listed, revoke

if TYPE_CHECKING:
    from atlas_core.registry import Document
    from atlas_core.store import Store


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.seconds)


def test_a_key_is_found_by_its_secret_and_by_nothing_less(store: Store) -> None:
    token, made = create(store, "ci", "vision", ["write"], by="me")
    ring = KeyRing(store, 0)
    found = ring.find(token)
    assert re.fullmatch("atlas_[0-9a-f]{16}_[A-Za-z0-9_-]{43}", token)
    assert found is not None
    assert (found.id, found.name, found.owner) == (f"key:{made['id']}", "ci", "vision")
    assert found.scopes == {"read", "write"}
    for other in (token[:-1], token + "A", token.upper(), f"atlas_{made['id']}_", "atlas_", f"atlas_{made['sha256']}"):
        assert ring.find(other) is None


def test_nothing_that_is_kept_lets_anybody_in(store: Store) -> None:
    token, made = create(store, "ci", "vision", ["read"], by="me")
    secret = token.rpartition(f"{made['id']}_")[2]
    kept = b"".join(store.objects.read(info.path) for info in store.objects.listed("registry/"))
    assert made["sha256"].encode() in kept
    assert secret.encode() not in kept
    assert KeyRing(store, 0).find(f"atlas_{made['id']}_{made['sha256']}") is None
    assert b"sha256" not in canonical_json(listed(store))


def test_a_revoked_key_is_refused_after_the_stated_seconds_and_a_new_one_taken_at_once(store: Store) -> None:
    clock = Clock()
    ring = KeyRing(store, 10, clock, clock.now)
    token, made = create(store, "ci", "vision", ["read"], by="me")
    assert ring.find(token) is not None
    revoke(store, made["id"], by="me")
    clock.seconds = 9.9
    assert ring.find(token) is not None
    clock.seconds = 10
    assert ring.find(token) is None
    other, _ = create(store, "ci", "vision", ["read"], by="me")
    clock.seconds = 11
    assert ring.find(other) is not None


def test_the_store_is_not_asked_again_at_every_request(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    asked: list[str] = []
    token, _ = create(store, "ci", "vision", ["read"], by="me")
    get = store.get_documents

    def noted(kind: str) -> list[Document]:
        asked.append(kind)
        return get(kind)

    monkeypatch.setattr(store, "get_documents", noted)
    ring = KeyRing(store, 10, clock)
    for _ in range(100):
        assert ring.find(token) is not None
        assert ring.find("atlas_0123456789abcdef_none") is None  # nor by whoever makes up keys
    assert asked == ["keys"]
    clock.seconds = 1
    ring.find("atlas_0123456789abcdef_none")
    assert asked == ["keys", "keys"]


def test_a_key_expires(store: Store) -> None:
    clock = Clock()
    token, _ = create(store, "ci", "vision", ["read"], by="me", days=1)
    ring = KeyRing(store, 1e9, clock, clock.now)
    assert ring.find(token) is not None
    clock.seconds = 86_400
    assert ring.find(token) is None


def test_what_cannot_be_is_refused(store: Store) -> None:
    with pytest.raises(InputError, match="can be no owner"):
        create(store, "ci", "", ["read"], by="me")
    with pytest.raises(InputError, match="takes a scope"):
        create(store, "ci", "vision", [], by="me")
    with pytest.raises(NotFoundError, match="no key 'none'"):
        revoke(store, "none", by="me")
    _, made = create(store, "ci", "vision", ["read"], by="me")
    revoke(store, made["id"], by="me")
    with pytest.raises(ConflictError, match="was revoked"):
        revoke(store, made["id"], by="me")
