"""Icons on request: ask for, wait for, list."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atlas_client.calls.jobs import Jobs
from atlas_client.connection import Document, OnDocument, path_of


class Icons(Jobs):
    """Asks for icons beyond a map's own."""

    def icons(self, atlas: str, request: Mapping[str, Any]) -> Document:
        """Ask for icons beyond a map's own: a channel, a walk, the grid of an image, a dream and so on.

        Args:
            atlas: The atlas's id.
            request: `kind` and what else POST /v1/atlases/{atlas}/icons takes; an `image` or `mask` given as a Path is
                uploaded.

        Returns:
            The job; give it to `made_icons`.
        """
        body = {name: self.upload(value) if isinstance(value, Path) else value for name, value in request.items()}
        return self.json("POST", path_of("atlases", atlas, "icons"), json=body)

    def made_icons(self, job: Document, on_progress: OnDocument | None = None) -> Document:
        """Wait until icons are made; then they have a `description`, whose pictures and sheet each have a `url`.

        Args:
            job: From `icons`.
            on_progress: Called with every document seen; may raise to stop waiting.

        Raises:
            RefusedError: They failed by their input.
            JobError: They failed otherwise, or were cancelled.
        """
        return self._made(job, on_progress)

    def all_icons(self, atlas: str) -> list[Document]:
        """The jobs of all icons that were asked for of an atlas."""
        return list(self.items(path_of("atlases", atlas, "icons")))
