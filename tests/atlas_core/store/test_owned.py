from __future__ import annotations

import pytest

from atlas_core.store import Store, open_store
from atlas_core.store.owned import OwnersStore


@pytest.fixture
def store() -> Store:
    store = open_store("memory://")
    for name, owner in (("mine", "a"), ("theirs", "b"), ("all-s", "")):
        store.append_document("jobs", name, {"id": name, "owner": owner})
        store.append_document("rates", name, {"id": name, "owner": owner})
    return store


def seen(store: Store, kind: str = "jobs") -> list[str]:
    return [value["id"] for value in store.get_documents(kind)]


def test_what_others_own_is_not_there(store: Store) -> None:
    view = OwnersStore(store, "a")
    assert seen(view) == ["all-s", "mine"]
    assert view.get_document("jobs", "theirs") is None
    assert view.get_document("jobs", "theirs") == view.get_document("jobs", "never")
    assert view.get_document("jobs", "mine") == {"id": "mine", "owner": "a"}
    assert view.owner == "a"
    assert view.whole is store
    assert seen(view.whole) == ["all-s", "mine", "theirs"]


def test_other_kinds_have_no_owners(store: Store) -> None:
    assert seen(OwnersStore(store, "a"), "rates") == ["all-s", "mine", "theirs"]


def test_an_administrator_sees_all_and_acts_in_an_own_name(store: Store) -> None:
    view = OwnersStore(OwnersStore(store, "a"), "operator", every=True)
    assert seen(view) == ["all-s", "mine", "theirs"]
    assert view.owner == "operator"


def test_a_view_shares_what_was_read_and_written(store: Store) -> None:
    view = OwnersStore(store, "a")
    view.append_document("jobs", "new", {"id": "new", "owner": "a"})
    assert store.get_document("jobs", "new") == {"id": "new", "owner": "a"}
    assert store.get_blob(view.put_blob(b"shared")) == b"shared"
