"""Selections of an atlas's samples: ask for maps of their own, wait for, list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atlas_client.calls.jobs import Jobs
from atlas_client.connection import Document, OnDocument, path_of


class Selections(Jobs):
    """Asks for maps of some of an atlas's samples."""

    def select(self, atlas: str, request: Mapping[str, Any]) -> Document:
        """Ask for a map of some samples: of a class, of a region, or of images that the network got wrong.

        Args:
            atlas: The atlas's id.
            request: `kind` and what else POST /v1/atlases/{atlas}/selections takes.

        Returns:
            The job; give it to `made_selection`. Its id is taken wherever an atlas's is.

        Raises:
            InvalidError: Fewer than 20 images, among others.
        """
        return self.json("POST", path_of("atlases", atlas, "selections"), json=dict(request))

    def made_selection(self, job: Document, on_progress: OnDocument | None = None) -> Document:
        """Wait until a selection's map is made; then it has a `manifest`. Arguments and errors as of `made_icons`."""
        return self._made(job, on_progress)

    def all_selections(self, atlas: str) -> list[Document]:
        """The selections that were asked for of an atlas, in time."""
        return list(self.items(path_of("atlases", atlas, "selections")))
