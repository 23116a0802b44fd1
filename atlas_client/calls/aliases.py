"""Aliases: names that stand for a model, dataset or atlas, and can be moved."""

from __future__ import annotations

from atlas_client.connection import Connection, Document, path_of


class Aliases(Connection):
    """Asks about aliases."""

    def set_alias(self, name: str, target: str) -> Document:
        """Have a name stand for a model, dataset or atlas, wherever an id is taken.

        Args:
            name: The alias, such as `pan-vision@prod`; moved where it names another.
            target: Id, or another alias, of what it is to name.
        """
        return self.json("PUT", path_of("aliases", name), json={"id": target})

    def alias(self, name: str) -> Document:
        """What an alias names, and its newest moves."""
        return self.json("GET", path_of("aliases", name))

    def aliases(self) -> list[Document]:
        """All aliases."""
        return list(self.items("/v1/aliases"))

    def delete_alias(self, name: str) -> None:
        """Have a name stand for nothing; its history is kept."""
        self.request("DELETE", path_of("aliases", name))
