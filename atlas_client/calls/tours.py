"""Tours: the saved places of a map."""

from __future__ import annotations

from collections.abc import Sequence

from atlas_client.connection import Connection, Document, path_of


class Tours(Connection):
    """Asks for tours."""

    def tour(self, atlas: str) -> Document:
        """The tour of a map: `version`, `title`, `stops` of a `caption` and a `view`; empty where none is saved."""
        return self.json("GET", path_of("atlases", atlas, "tour"))

    def set_tour(self, atlas: str, stops: Sequence[Document], title: str = "", version: int | None = None) -> Document:
        """Save the tour of a map in the place of what was there.

        Args:
            atlas: The map's id.
            stops: Each a `caption` and a `view`: the part of the viewer's address behind `#`.
            title: What it is called.
            version: Save only where the tour is still at this version; 0 where there was none.

        Raises:
            RefusedError: Somebody else saved meanwhile (412), or it is too long.
        """
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        body = {"title": title, "stops": list(stops)}
        return self.json("PUT", path_of("atlases", atlas, "tour"), json=body, headers=headers)
