"""Versions: ask what changed between two models, or two layers, wait for it, look at it."""

from __future__ import annotations

from typing import Any

from atlas_client.calls.jobs import Jobs
from atlas_client.connection import Document, OnDocument


class Versions(Jobs):
    """Asks what changed between two models on the same samples."""

    def versions(self, other: str | None = None, **options: Any) -> Document:
        """Ask what changed between an old model and a new one.

        Args:
            other: Id or alias of the new model; the old one where only `other_layers` differ.
            **options: What else POST /v1/comparisons takes with the kind `models`: `atlas`, or `model`, `dataset`,
                `layers`, `samples`, `seed`, `images`, `images_per_class` and `privacy`; `other_layers`, `weight`,
                `side`, `alpha`.

        Returns:
            The job; give it to `made_versions`.
        """
        named = {} if other is None else {"other": other}
        return self.json("POST", "/v1/comparisons", json={"kind": "models", **named, **options})

    def made_versions(self, job: Document, on_progress: OnDocument | None = None) -> Document:
        """Wait until a comparison is made; then it has a `summary` and a `description`. As `made_icons`."""
        return self._made(job, on_progress)

    def versions_summary(self, document: Document) -> str:
        """What changed, in Markdown that a release note can quote: 15 lines at most."""
        return self.request("GET", f"{document['links']['self']}/summary").text
