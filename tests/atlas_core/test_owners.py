from __future__ import annotations

from typing import Any

import pytest

from atlas_core.owners import EVERYBODY, owners_of, owners_with, sees


@pytest.mark.parametrize(
    ("document", "owners"),
    [({"owner": "a"}, {"a"}), ({"owners": ["a", "b"]}, {"a", "b"}), ({}, {EVERYBODY}), ({"owners": []}, set())],
)
def test_a_document_names_its_owners_and_one_that_does_not_is_everybody_s(
    document: dict[str, Any], owners: set[str]
) -> None:
    assert owners_of(document) == owners


def test_one_more_owner_is_added_once() -> None:
    assert owners_with(None, "a") == ["a"]
    assert owners_with({"owners": ["b"]}, "a") == ["a", "b"]
    assert owners_with({"owners": ["a"]}, "a") == ["a"]
    assert owners_with({}, "a") == [EVERYBODY, "a"]


def test_who_sees_what() -> None:
    assert sees("a", {"owner": "a"})
    assert sees("a", {"owners": ["b", "a"]})
    assert sees("a", {})
    assert not sees("a", {"owner": "b"})
    assert not sees("a", {"owners": []})
    assert not sees(EVERYBODY, {"owner": "b"})
    assert sees(None, {"owner": "b"})
