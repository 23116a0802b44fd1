"""Aliases: names that people choose for a model, dataset or atlas, and can move from one to another.

Every owner has names of its own, and may use everybody's. An alias is a document whose versions are its history. A
version is written only where its number is free, so that concurrent moves follow one upon the other and nothing is
lost.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, get_args

from atlas_core import registry
from atlas_core.errors import ConflictError, InputError, NotFoundError
from atlas_core.keys import digest
from atlas_core.owners import EVERYBODY

if TYPE_CHECKING:
    from atlas_core.registry import Document, Kind
    from atlas_core.store import Store

AliasKind = Literal["model", "dataset", "atlas"]
Expected = int | Literal["any"] | None
KINDS: dict[AliasKind, Kind] = {"model": "models", "dataset": "datasets", "atlas": "jobs"}
NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
ID = re.compile("[0-9a-f]{24}")
LIKE_AN_ID = re.compile("[0-9A-Fa-f]{16,64}")
DOCUMENTS = "aliases"
HISTORY = 100
"""Moves that are shown of a name: the newest."""
READERS = 16


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
    found = _known(store, name)
    if found is None:
        return name
    if found["kind"] != kind:
        raise NotFoundError(f"the alias {name!r} names {_a(found['kind'])}, not {_a(kind)}")
    return str(found["id"])


def target_of(store: Store, name: str) -> tuple[AliasKind, str]:
    """Kind and id of the model, dataset or atlas that an id or an alias stands for.

    Raises:
        InputError: There is none.
    """
    found = _known(store, name)
    target = name if found is None else str(found["id"])
    for kind in get_args(AliasKind):
        if _exists(store, kind, target):
            return kind, target
    raise InputError(f"there is no model, dataset or atlas {name[:80]!r} here; name one by its id, as /v1/models, "
                     "/v1/datasets and /v1/atlases list them", pointer="/id")  # fmt: skip


def move(store: Store, name: str, target: str, expected: Expected = None) -> Document:
    """Have a name stand for something; where it does already, nothing changes.

    Called while nobody deletes the target.

    Args:
        store: Where the aliases are.
        name: The alias.
        target: Id of what it is to name, which must be there; of the same kind for as long as the alias lives.
        expected: The version that the caller knows, `any` for whichever there is; None where that does not matter.

    Returns:
        The alias, as `get` gives it.

    Raises:
        InputError: The name can be no alias, or there is no such model, dataset or atlas.
        ConflictError: The alias names another kind of thing.
        StaleError: It is not at the version expected.
    """
    check_name(name)
    kind, target = target_of(store, target)
    while True:
        number, known = _newest(store, name)
        _check_expected(name, number, known, expected)
        if known is not None and known["kind"] != kind:
            raise ConflictError(f"the alias {name!r} names {_a(known['kind'])}, not {_a(kind)}; delete it first, or "
                                "take another name")  # fmt: skip
        if known is not None and known["id"] == target:
            return get(store, name)
        value = {"name": name, "kind": kind, "id": target, "moved": registry.now(), "owner": store.owner}
        if store.create_version(DOCUMENTS, _document(name, store.owner), number + 1, value):
            return get(store, name)


def delete(store: Store, name: str, expected: Expected = None) -> None:
    """Have a name stand for nothing; its history is kept.

    Raises:
        NotFoundError: There is no such alias.
        StaleError: It is not at the version expected.
    """
    while True:
        number, known = _newest(store, name)
        if known is None:
            raise _unknown(name)
        _check_expected(name, number, known, expected)
        value = {**known, "id": None, "moved": registry.now()}
        if store.create_version(DOCUMENTS, _document(name, store.owner), number + 1, value):
            return


def get(store: Store, name: str) -> Document:
    """An alias: name, kind, id, version, when it was moved, and its newest moves, the newest first.

    A move to the id None is where the alias was deleted.

    Raises:
        NotFoundError: There is no such alias.
    """
    found = _known(store, name)
    document = _document(name, EVERYBODY if found is None else found.get("owner", EVERYBODY))
    numbers = store.document_versions(DOCUMENTS, document)[-HISTORY:]
    versions = store.objects.many(lambda number: store.get_version(DOCUMENTS, document, number), numbers, READERS)
    history = [
        {"version": number, "kind": value["kind"], "id": value["id"], "moved": value["moved"]}
        for number, value in zip(numbers, versions, strict=True)
        if value is not None
    ][::-1]
    if not history or history[0]["id"] is None:
        raise _unknown(name)
    return {"name": name, **history[0], "history": history}


def listed(store: Store) -> list[Document]:
    """The aliases that a name may mean, sorted by name: name, kind, id and when each was moved."""
    found: dict[str, Document] = {}
    for value in store.get_documents(DOCUMENTS):
        own = value.get("owner", EVERYBODY) == store.owner
        if value["id"] is not None and (own or value.get("owner", EVERYBODY) == EVERYBODY):
            found[value["name"]] = value if own else found.get(value["name"], value)
    return [found[name] for name in sorted(found)]


def lock_of(kind: AliasKind, target: str) -> str:
    """The lock under which aliases are moved to something, and it is deleted."""
    return f"named:{kind}/{target}"


def check_unnamed(store: Store, kind: AliasKind, target: str) -> None:
    """Refuse to drop what aliases name. Called while nobody moves one there.

    Raises:
        ConflictError: Names them.
    """
    names = [value["name"] for value in listed(store) if (value["kind"], value["id"]) == (kind, target)]
    if names:
        raise ConflictError(f"the {kind} {target} is named by the alias{'es' * (len(names) > 1)} "
                            f"{', '.join(map(repr, names[:5]))}; move or delete that first")  # fmt: skip


def _known(store: Store, name: str) -> Document | None:
    if ID.fullmatch(name) or not NAME.fullmatch(name):
        return None
    for owner in dict.fromkeys((store.owner, EVERYBODY)):  # an own name goes before everybody's
        found = store.get_document(DOCUMENTS, _document(name, owner))
        if found is not None and found["id"] is not None:
            return found
    return None


def _newest(store: Store, name: str) -> tuple[int, Document | None]:
    """Number of an own alias's newest version, -1 where it has none, and that version unless it says deleted."""
    document = _document(name, store.owner)
    numbers = store.document_versions(DOCUMENTS, document)
    if not numbers:
        return -1, None
    found = store.get_version(DOCUMENTS, document, numbers[-1])
    return numbers[-1], None if found is None or found["id"] is None else found


def _check_expected(name: str, number: int, known: Document | None, expected: Expected) -> None:
    if expected is None:
        return
    if known is None:
        raise StaleError(f"there is no alias {name!r}; leave If-Match out to make it")
    if expected not in ("any", number):
        raise StaleError(f"the alias {name!r} is at version {number} by now, not {expected}; look at it and try again")


def _exists(store: Store, kind: AliasKind, target: str) -> bool:
    found = store.get_document(KINDS[kind], target)
    return found is not None and not found.get("deleted") and found.get("kind", "atlas") == "atlas"


def _document(name: str, owner: str) -> str:
    """Name of an alias's document: aliases hold characters that documents' names may not, and owners share names."""
    return digest(["alias", name, *filter(None, [owner])])


def _a(kind: str) -> str:
    return f"an {kind}" if kind == "atlas" else f"a {kind}"


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(f"there is no alias {name[:80]!r} here; list /v1/aliases for those there are")
