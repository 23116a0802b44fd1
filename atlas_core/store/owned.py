"""The store as one owner sees it: documents of other owners are not there, whoever asks for them and why."""

from __future__ import annotations

from typing import Any

from atlas_core.owners import OWNED, sees
from atlas_core.store.store import Store


class OwnersStore(Store):
    """A view of a store; what it reads and keeps is the store's own.

    Args:
        store: With the documents of all.
        owner: Whose view it is.
        every: Whether the owner sees what is others' too.
    """

    def __init__(self, store: Store, owner: str, *, every: bool = False) -> None:
        """Share the store's storage and caches."""
        vars(self).update(vars(store.whole))
        self._whole = store.whole
        self._sees = None if every else owner
        self.owner = owner

    @property
    def whole(self) -> Store:
        """The store with the documents of all owners."""
        return self._whole

    def get_document(self, kind: str, name: str) -> dict[str, Any] | None:
        """Read the newest version of a document, None where there is none that the owner sees."""
        found = super().get_document(kind, name)
        return found if found is not None and self._is_seen(kind, found) else None

    def get_documents(self, kind: str) -> list[dict[str, Any]]:
        """Read the newest versions of all documents of a kind that the owner sees, sorted by name."""
        return [found for found in super().get_documents(kind) if self._is_seen(kind, found)]

    def _is_seen(self, kind: str, document: dict[str, Any]) -> bool:
        return kind not in OWNED or sees(self._sees, document)
