"""Atlases: ask for, look at, wait for, cancel."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from atlas_client.calls.jobs import Jobs
from atlas_client.connection import Document, OnDocument, path_of
from atlas_client.errors import NotFoundError
from atlas_client.events import OUTAGE, Event, follow


class Atlases(Jobs):
    """Asks about atlases."""

    def submit(self, spec: Mapping[str, Any]) -> Document:
        """Ask for an atlas.

        Args:
            spec: model, dataset, layers and what else POST /v1/atlases takes.
        """
        return self.json("POST", "/v1/atlases", json=dict(spec))

    def dry_run(self, spec: Mapping[str, Any]) -> Document:
        """What an atlas would take: chunks, bytes and seconds; nothing is made. Arguments as for `submit`."""
        return self.json("POST", "/v1/atlases", json={**spec, "dry_run": True})

    def events(
        self, atlas: str, last_event_id: str | None = None, patience: float = OUTAGE
    ) -> Generator[Event, None, None]:
        """What happens to an atlas, until it has ended; a broken connection is taken up where it broke.

        Args:
            atlas: Its id.
            last_event_id: Id of the last event that is known already; None for all that are kept.
            patience: Seconds of a service that gives no events after which to give up.

        Raises:
            NotFoundError: There is no such atlas.
            UnavailableError: The service gives no events for longer than that.
        """
        return follow(self._http, self.url, path_of("atlases", atlas, "events"), last_event_id, patience)

    def status(self, atlas: str) -> Document:
        """State and progress of an atlas, and its manifest once it is published."""
        return self.json("GET", path_of("atlases", atlas))

    def tile(self, atlas: str, layer: str, z: int, x: int, y: int) -> tuple[bytes, bool] | None:
        """A block of 10 x 10 icons of an atlas, finished or not.

        Args:
            atlas: Its id.
            layer: Name of the layer.
            z: Level, from 0, the coarsest.
            x: Column of the tile.
            y: Row of the tile.

        Returns:
            WebP, and whether it is a preview that the tile itself will replace. None where it is not there yet: ask
            again, it is now made before its turn.

        Raises:
            NotFoundError: There is no such tile, or it has no cell.
        """
        place = path_of("atlases", atlas, "layers", layer, "levels", z, "tiles", x, y)
        try:
            response = self.request("GET", place)
        except NotFoundError as error:
            if error.slug == "not-yet":
                return None
            raise
        return response.content, response.headers.get("atlas-preview") == "true"

    def cell(self, atlas: str, layer: str, z: int, column: int, row: int) -> Document:
        """One cell: the classes that it speaks for and `against`, its icon's measures, links to its exemplars.

        Args:
            atlas: The atlas's id.
            layer: Name of the layer.
            z: Level, from 0, the coarsest.
            column: From 0, at the left.
            row: From 0, at the top.

        Raises:
            NotFoundError: There is no such cell.
        """
        return self.json("GET", path_of("atlases", atlas, "layers", layer, "levels", z, "cells", f"{column}-{row}"))

    def cells_file(self, atlas: str, layer: str, z: int, form: str = "csv") -> bytes:
        """The cells of a level as a file; docs/http.md tells its columns.

        Args:
            atlas: The atlas's id.
            layer: Name of the layer.
            z: Level, from 0, the coarsest.
            form: csv or parquet.

        Raises:
            NotFoundError: There is no such level, or its cells are not made yet.
        """
        place = path_of("atlases", atlas, "layers", layer, "levels", z, "cells")
        return self.request("GET", place, params={"format": form}).content

    def cancel(self, atlas: str) -> Document:
        """Cancel an atlas; what is finished is kept."""
        return self.json("POST", path_of("atlases", atlas, "cancel"))

    def wait(self, atlas: str, on_progress: OnDocument | None = None) -> Document:
        """Wait until an atlas has succeeded, by its events, or by asking again and again where they cannot be had.

        Args:
            atlas: Its id.
            on_progress: Called with every document seen; may raise to stop waiting.

        Raises:
            RefusedError: It failed by its input, such as too many corrupt images.
            JobError: It failed otherwise, or was cancelled.
        """
        return self._wait(path_of("atlases", atlas), on_progress)

    def atlases(self) -> list[Document]:
        """All atlases."""
        return list(self.items("/v1/atlases"))
