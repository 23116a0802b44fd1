from __future__ import annotations

import pytest

from atlas_core import tours
from atlas_core.aliases import StaleError
from atlas_core.store import Store, open_store

FIRST, SECOND = {"caption": "Wheels", "view": "layer=a&x=.2"}, {"caption": "", "view": "layer=b"}


@pytest.fixture
def store() -> Store:
    return open_store("memory://")


def test_a_map_has_an_empty_tour_until_one_is_saved(store: Store) -> None:
    assert tours.get(store, "map") == {"version": 0, "title": "", "stops": [], "saved": None}
    saved = tours.put(store, "map", "Parts", [FIRST, SECOND])
    assert (saved["version"], saved["title"], saved["stops"]) == (1, "Parts", [FIRST, SECOND])
    assert tours.get(store, "map") == saved
    assert tours.get(store, "other")["version"] == 0


def test_the_order_is_kept_and_the_same_again_is_no_new_version(store: Store) -> None:
    tours.put(store, "map", "", [FIRST, SECOND])
    turned = tours.put(store, "map", "", [SECOND, FIRST])
    assert (turned["version"], turned["stops"]) == (2, [SECOND, FIRST])
    assert tours.put(store, "map", "", [SECOND, FIRST]) == turned
    assert tours.put(store, "map", "", [])["stops"] == []


def test_who_read_an_older_tour_overwrites_nothing(store: Store) -> None:
    tours.put(store, "map", "", [FIRST], 0)
    with pytest.raises(StaleError, match="version 1 by now, not 0: somebody else saved it"):
        tours.put(store, "map", "", [SECOND], 0)
    assert tours.put(store, "map", "", [SECOND], 1)["version"] == 2
    assert tours.put(store, "map", "", [FIRST], "any")["version"] == 3
    with pytest.raises(StaleError, match="has no tour yet"):
        tours.put(store, "other", "", [FIRST], "any")


def test_a_dropped_map_has_none(store: Store) -> None:
    tours.put(store, "map", "", [FIRST])
    tours.forget(store, "map")
    assert tours.get(store, "map")["version"] == 0
