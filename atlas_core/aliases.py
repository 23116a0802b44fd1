"""Aliases: names that people choose for a model, dataset or atlas, and can move from one to another.

An alias is a document whose versions are its history. A version is written only where its number is free, so that
concurrent moves follow one upon the other and nothing is lost; no lock and no Redis is needed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from atlas_core import registry
from atlas_core.errors import ConflictError, InputError, NotFoundError
from atlas_core.keys import digest

if TYPE_CHECKING:
    from atlas_core.registry import Document, Kind
    from atlas_core.store import Store

AliasKind = Literal["model", "dataset", "atlas"]
KINDS: dict[AliasKind, Kind] = {"model": "models", "dataset": "datasets", "atlas": "jobs"}
NAME_PATTERN = "[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"
NAME = re.compile(NAME_PATTERN)
ID = re.compile("[0-9a-f]{24}")
LIKE_AN_ID = re.compile("[0-9A-Fa-f]{16,64}")
DOCUMENTS = "aliases"
HISTORY = 100
"""Moves that are shown of a name: the newest."""


class StaleError(ConflictError):
    """The alias is not, or no longer, at the version that the caller knows."""

    slug = "stale"


def check_name(name: str) -> None:
    """Refuse a name that no alias can have.

    Raises:
        InputError: It holds what it may not, or could be mistaken for an id.
    """
    if not NAME.fullmatch(name):
        raise InputError(
            f"{name[:80]!r} can be no alias: a letter or digit, then letters, digits, `.`, `_`, `@` and `-`, "
            "at most 64 in all"
        )
    if LIKE_AN_ID.fullmatch(name):
        raise InputError(f"{name!r} looks like an id; take a name with other letters, or a `.`, `_`, `@` or `-`")


def resolve(store: Store, kind: AliasKind, name: str) -> str:
    """The id that a name stands for; what is no alias is returned as it is.

    Args:
        store: Where the aliases are; it is not asked about what has the form of an id.
        kind: What is wanted.
        name: An id or an alias.

    Raises:
        NotFoundError: The alias names something of another kind.
    """
    if ID.fullmatch(name) or not NAME.fullmatch(name):
        return name
    found = store.get_document(DOCUMENTS, _document(name))
    if found is None or found["id"] is None:
        return name
    if found["kind"] != kind:
        raise NotFoundError(f"the alias {name!r} names {_a(found['kind'])}, not {_a(kind)}")
    return str(found["id"])


def move(
    store: Store, name: str, kind: AliasKind, target: str, expected: int | Literal["any"] | None = None
) -> Document:
    """Have a name stand for something; where it does already, nothing changes.

    Args:
        store: Where the aliases are.
        name: The alias.
        kind: What it names; stays the same until the alias is deleted.
        target: Its id, or an alias of it.
        expected: The version that the caller knows, `any` for whichever there is; None where that does not matter.

    Returns:
        The alias, as `get` gives it.

    Raises:
        InputError: The name can be no alias, or there is no such model, dataset or atlas.
        ConflictError: The alias names another kind of thing.
        StaleError: It is not at the version expected.
    """
    check_name(name)
    target = _existing(store, kind, target)
    document = _document(name)
    while True:
        number, known = _newest(store, document)
        _check_expected(name, number, known, expected)
        if known is not None and known["id"] is not None:
            if known["kind"] != kind:
                raise ConflictError(f"the alias {name!r} names {_a(known['kind'])}; delete it first, or take another")
            if known["id"] == target:
                return get(store, name)
        value = {"name": name, "kind": kind, "id": target, "moved": registry.now()}
        if store.create_version(DOCUMENTS, document, number + 1, value):
            return get(store, name)


def delete(store: Store, name: str, expected: int | Literal["any"] | None = None) -> None:
    """Have a name stand for nothing; its history is kept.

    Raises:
        NotFoundError: There is no such alias.
        StaleError: It is not at the version expected.
    """
    document = _document(name)
    while True:
        number, known = _newest(store, document)
        if known is None or known["id"] is None:
            raise _unknown(name)
        _check_expected(name, number, known, expected)
        if store.create_version(DOCUMENTS, document, number + 1, {**known, "id": None, "moved": registry.now()}):
            return


def get(store: Store, name: str) -> Document:
    """An alias: name, kind, id, version, when it was moved, and its newest moves, the newest first.

    Raises:
        NotFoundError: There is no such alias.
    """
    document = _document(name)
    numbers = store.document_versions(DOCUMENTS, document)[-HISTORY:]
    found = [store.get_version(DOCUMENTS, document, number) for number in numbers]
    history = [
        {"version": number, "kind": value["kind"], "id": value["id"], "moved": value["moved"]}
        for number, value in zip(numbers, found, strict=True)
        if value is not None
    ][::-1]
    if not history or history[0]["id"] is None:
        raise _unknown(name)
    return {"name": name, **history[0], "history": history}


def listed(store: Store) -> list[Document]:
    """All aliases, sorted by name: name, kind, id and when each was moved."""
    found = (value for value in store.get_documents(DOCUMENTS) if value["id"] is not None)
    return sorted(found, key=lambda value: str(value["name"]))


def _newest(store: Store, document: str) -> tuple[int, Document | None]:
    numbers = store.document_versions(DOCUMENTS, document)
    if not numbers:
        return -1, None
    return numbers[-1], store.get_version(DOCUMENTS, document, numbers[-1])


def _check_expected(
    name: str, number: int, known: dict[str, Any] | None, expected: int | Literal["any"] | None
) -> None:
    if expected is None:
        return
    there = known is not None and known["id"] is not None
    if not there:
        raise StaleError(f"there is no alias {name!r}; leave If-Match out to make it")
    if expected not in ("any", number):
        raise StaleError(f"the alias {name!r} is at version {number} by now, not {expected}; look at it and try again")


def _existing(store: Store, kind: AliasKind, target: str) -> str:
    try:
        found = registry.document(store, KINDS[kind], resolve(store, kind, target))
    except NotFoundError:
        found = {"deleted": True}
    if found.get("deleted"):
        plural = "atlases" if kind == "atlas" else KINDS[kind]
        raise InputError(f"there is no {kind} {target!r} here; list /v1/{plural} for those there are", pointer="/id")
    return str(found["id"])


def _document(name: str) -> str:
    """Name of an alias's document: aliases hold characters that documents' names may not."""
    return digest(["alias", name])


def _a(kind: str) -> str:
    return f"an {kind}" if kind == "atlas" else f"a {kind}"


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(f"there is no alias {name[:80]!r} here; list /v1/aliases for those there are")
