"""Who owns what: documents of the registry name their owners; what belongs to nobody is everybody's.

An owner is a name that keys and tokens act under, such as a team's. Blobs and records have none and are shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EVERYBODY = ""
"""Owner of what was made while access was open, or before there were owners: all may read it."""
NAME = r"[A-Za-z0-9][A-Za-z0-9._@/-]{0,63}"
"""What an owner may be called, as a regular expression."""
OWNED = ("jobs", "models", "datasets", "aliases", "webhooks")
"""Kinds of documents that have owners."""


def owners_of(document: Mapping[str, Any]) -> frozenset[str]:
    """The owners of a job, model, dataset, alias or webhook."""
    if "owners" in document:
        return frozenset(document["owners"])
    return frozenset([document.get("owner", EVERYBODY)])


def owners_with(document: Mapping[str, Any] | None, owner: str) -> list[str]:
    """The owners of a document, which may not be there yet, and one more."""
    return sorted({owner, *(() if document is None else owners_of(document))})


def sees(owner: str | None, document: Mapping[str, Any]) -> bool:
    """Whether an owner may know of a document; None may of all."""
    return owner is None or bool(owners_of(document) & {owner, EVERYBODY})
