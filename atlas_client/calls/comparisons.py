"""Comparisons: ask for, wait for, list."""

from __future__ import annotations

from typing import Any

from atlas_client.calls.jobs import Jobs
from atlas_client.connection import Document, OnDocument, path_of


class Comparisons(Jobs):
    """Asks for comparisons."""

    def compare_classes(self, atlas: str, first: int | str, second: int | str, **options: Any) -> Document:
        """Ask for two classes on one picture.

        Args:
            atlas: Id or alias of an atlas.
            first: Index or name of the class on the left.
            second: Of that on the right.
            **options: What else POST /v1/comparisons takes of two classes: layer, side, recipe.

        Returns:
            The job; give it to `made_comparison`. Its id is taken wherever an atlas's is.

        Raises:
            InvalidError: Fewer than 20 images of a class, among others.
        """
        body = {"kind": "classes", "atlas": atlas, "classes": [first, second], **options}
        return self.json("POST", "/v1/comparisons", json=body)

    def compare_models(self, other: str | None = None, **options: Any) -> Document:
        """Ask what changed between an old model and a new one, on the same samples.

        Args:
            other: Id or alias of the new model; the old one where only `other_layers` differ.
            **options: What else POST /v1/comparisons takes of two models: `atlas`, or `model`, `dataset`, `layers`,
                `samples`, `seed`, `images`, `images_per_class` and `privacy`; `other_layers`, `weight`, `side`,
                `alpha`.

        Returns:
            The job; give it to `made_comparison`.
        """
        named = {} if other is None else {"other": other}
        return self.json("POST", path_of("comparisons"), json={"kind": "models", **named, **options})

    def comparison_summary(self, comparison: str) -> str:
        """What changed between two models, in Markdown that a release note can quote: 15 lines at most."""
        return self.request("GET", path_of("comparisons", comparison, "summary")).text

    def made_comparison(self, job: Document, on_progress: OnDocument | None = None) -> Document:
        """Wait until a comparison is made; then it has a `description`. Arguments and errors as of `made_icons`."""
        return self._made(job, on_progress)

    def comparisons(self, atlas: str | None = None) -> list[Document]:
        """All comparisons in time, or those of an atlas."""
        return list(self.items(path_of("comparisons"), **({} if atlas is None else {"atlas": atlas})))
