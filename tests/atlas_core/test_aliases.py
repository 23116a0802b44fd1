from __future__ import annotations

import threading
from pathlib import Path

import pytest

from atlas_core import aliases
from atlas_core.errors import ConflictError, InputError, NotFoundError
from atlas_core.store import Store, open_store

MODELS = [f"{number:024x}" for number in range(9)]
DATASET = "d" * 24


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = open_store(str(tmp_path / "store"))
    for model in MODELS:
        made.append_document("models", model, {"id": model})
    made.append_document("datasets", DATASET, {"id": DATASET})
    return made


def moves(store: Store, name: str) -> list[str | None]:
    return [move["id"] for move in aliases.get(store, name)["history"]]


def test_an_alias_moves_and_remembers(store: Store) -> None:
    aliases.move(store, "pan-vision@prod", MODELS[0])
    moved = aliases.move(store, "pan-vision@prod", MODELS[1])
    assert (moved["name"], moved["kind"], moved["id"], moved["version"]) == ("pan-vision@prod", "model", MODELS[1], 1)
    assert moves(store, "pan-vision@prod") == [MODELS[1], MODELS[0]]
    assert moved["moved"] >= moved["history"][1]["moved"]
    assert aliases.resolve(store, "model", "pan-vision@prod") == MODELS[1]


def test_a_move_to_where_it_is_changes_nothing(store: Store) -> None:
    first = aliases.move(store, "a", MODELS[0])
    assert aliases.move(store, "a", MODELS[0]) == first


def test_an_alias_may_be_given_what_another_names_and_does_not_follow_it(store: Store) -> None:
    aliases.move(store, "candidate", MODELS[3])
    aliases.move(store, "prod", "candidate")
    aliases.move(store, "candidate", MODELS[4])
    assert aliases.resolve(store, "model", "prod") == MODELS[3]


def test_what_is_no_alias_stays_as_it_is(store: Store) -> None:
    for name in (MODELS[0], "unknown", "no/alias at all", ""):
        assert aliases.resolve(store, "model", name) == name


def test_an_alias_of_another_kind_is_said_to_be(store: Store) -> None:
    aliases.move(store, "mine", DATASET)
    with pytest.raises(NotFoundError, match="'mine' names a dataset, not an atlas"):
        aliases.resolve(store, "atlas", "mine")
    with pytest.raises(ConflictError, match="names a dataset, not a model; delete it first"):
        aliases.move(store, "mine", MODELS[0])


@pytest.mark.parametrize("name", ["", "-a", ".a", "@a", "a b", "a/b", "ä", "a" * 65, "a\n"])
def test_names_have_a_charset(store: Store, name: str) -> None:
    with pytest.raises(InputError, match="can be no alias"):
        aliases.move(store, name, MODELS[0])


@pytest.mark.parametrize("name", [MODELS[1], "ABCDEF0123456789", "0" * 64])
def test_names_are_told_from_ids(store: Store, name: str) -> None:
    with pytest.raises(InputError, match="looks like an id"):
        aliases.move(store, name, MODELS[0])


def test_the_target_must_exist(store: Store) -> None:
    store.append_document("jobs", "f" * 24, {"id": "f" * 24, "deleted": True})
    for target in ("e" * 24, "f" * 24, "nobody"):
        with pytest.raises(InputError, match="no model, dataset or atlas") as caught:
            aliases.move(store, "a", target)
        assert caught.value.pointer == "/id"


def test_a_deleted_alias_keeps_its_history_and_may_name_another_kind(store: Store) -> None:
    aliases.move(store, "a", MODELS[0])
    aliases.delete(store, "a")
    assert aliases.resolve(store, "model", "a") == "a"
    assert aliases.listed(store) == []
    for gone in (aliases.get, aliases.delete):
        with pytest.raises(NotFoundError, match="no alias 'a'"):
            gone(store, "a")
    aliases.move(store, "a", DATASET)
    assert moves(store, "a") == [DATASET, None, MODELS[0]]


def test_what_aliases_name_is_not_dropped(store: Store) -> None:
    aliases.check_unnamed(store, "model", MODELS[0])
    aliases.move(store, "prod", MODELS[0])
    aliases.move(store, "best", MODELS[0])
    with pytest.raises(ConflictError, match=r"aliases 'best', 'prod'; move or delete"):
        aliases.check_unnamed(store, "model", MODELS[0])
    aliases.check_unnamed(store, "model", MODELS[1])


def test_only_who_knows_the_newest_version_moves_it(store: Store) -> None:
    with pytest.raises(aliases.StaleError, match="there is no alias"):
        aliases.move(store, "a", MODELS[0], "any")
    aliases.move(store, "a", MODELS[0])
    aliases.move(store, "a", MODELS[1], 0)
    with pytest.raises(aliases.StaleError, match="at version 1 by now, not 0"):
        aliases.move(store, "a", MODELS[2], 0)
    with pytest.raises(aliases.StaleError):
        aliases.delete(store, "a", 0)
    aliases.delete(store, "a", "any")


@pytest.mark.parametrize("expected", [None, 0])
def test_of_movers_at_once_none_is_lost_and_one_knows_the_newest(store: Store, expected: int | None) -> None:
    aliases.move(store, "a", MODELS[0])
    ready, stale = threading.Barrier(8), []

    def mover(target: str) -> None:
        ready.wait()
        try:
            aliases.move(store, "a", target, expected)
        except aliases.StaleError:
            stale.append(target)

    threads = [threading.Thread(target=mover, args=[target]) for target in MODELS[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = moves(store, "a")
    assert sorted([*map(str, found), *stale]) == MODELS
    assert len(found) == (9 if expected is None else 2)
    assert [move["version"] for move in aliases.get(store, "a")["history"]] == list(range(len(found)))[::-1]
    assert aliases.resolve(store, "model", "a") == found[0]
