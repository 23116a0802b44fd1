"""Tours: places of a map that somebody saved with captions, in the order in which they are played.

A map has one tour, a document whose versions are numbered: a version is written only where its number is free, so
that who saves at the same time as somebody else is told, and overwrites nothing unseen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atlas_core import registry
from atlas_core.aliases import Expected, StaleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atlas_core.registry import Document
    from atlas_core.store import Store

DOCUMENTS = "tours"
NEVER = -1
"""Number of the newest version where there is none."""


def get(store: Store, atlas: str) -> Document:
    """The tour of a map: version, title, stops, when it was saved; an empty one of version 0 where there is none."""
    number, known = _newest(store, atlas)
    return _told(number, known)


def put(store: Store, atlas: str, title: str, stops: Sequence[Document], expected: Expected = None) -> Document:
    """Save the tour of a map, in the place of what was there.

    Args:
        store: Where it is kept.
        atlas: Id of the map.
        title: What it is called.
        stops: Each a `caption` and the `view` that it shows: the part of the viewer's address behind `#`.
        expected: The version that the caller knows, 0 of none, `any` for whichever there is; None where that does not
            matter.

    Returns:
        The tour, as `get` gives it.

    Raises:
        StaleError: It is not at the version expected.
    """
    while True:
        number, known = _newest(store, atlas)
        _check_expected(number, expected)
        if known is not None and (known["title"], known["stops"]) == (title, list(stops)):
            return _told(number, known)
        value = {"title": title, "stops": list(stops), "saved": registry.now()}
        if store.create_version(DOCUMENTS, atlas, number + 1, value):
            return _told(number + 1, value)


def forget(store: Store, atlas: str) -> None:
    """Drop the tour of a map that is dropped."""
    store.delete_document(DOCUMENTS, atlas)


def _newest(store: Store, atlas: str) -> tuple[int, Document | None]:
    numbers = store.document_versions(DOCUMENTS, atlas)
    return (numbers[-1], store.get_version(DOCUMENTS, atlas, numbers[-1])) if numbers else (NEVER, None)


def _told(number: int, value: Document | None) -> Document:
    found: Any = value or {"title": "", "stops": [], "saved": None}
    return {"version": number + 1, **found}


def _check_expected(number: int, expected: Expected) -> None:
    if expected in (None, number + 1) or (expected == "any" and number != NEVER):
        return
    if number == NEVER:
        raise StaleError("this map has no tour yet; leave If-Match out to save one")
    raise StaleError(f"the tour is at version {number + 1} by now, not {expected}: somebody else saved it; read it "
                     "again and add to that")  # fmt: skip
