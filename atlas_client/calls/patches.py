"""Patch tests: ask for, wait for, list."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atlas_client.calls.jobs import Jobs
from atlas_client.connection import Document, OnDocument, path_of


class Patches(Jobs):
    """Asks whether patches turn images of one class into another."""

    def patches(self, atlas: str, request: Mapping[str, Any]) -> Document:
        """Ask whether patches turn images that the model recognises into another class.

        Args:
            atlas: The atlas's id.
            request: `target` and what else POST /v1/atlases/{atlas}/patches takes; `patches` of the kind `images` may
                give them as Paths, which are uploaded.

        Returns:
            The job; give it to `made_patches`.
        """
        body = dict(request)
        patches = body.get("patches")
        if isinstance(patches, Mapping) and "images" in patches:
            images = [self.upload(one) if isinstance(one, Path) else one for one in patches["images"]]
            body["patches"] = {**patches, "images": images}
        return self.json("POST", path_of("atlases", atlas, "patches"), json=body)

    def made_patches(self, job: Document, on_progress: OnDocument | None = None) -> Document:
        """Wait until a test is made; then it has a `summary` and a `description`. As `made_icons`."""
        return self._made(job, on_progress)

    def all_patches(self, atlas: str) -> list[Document]:
        """The patch tests that were asked for of an atlas, in time; each with its `summary`."""
        return list(self.items(path_of("atlases", atlas, "patches")))
