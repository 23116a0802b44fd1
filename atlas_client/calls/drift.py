"""Drift: ask for comparisons of datasets with an atlas, wait for, list."""

from __future__ import annotations

from typing import Any

from atlas_client.calls.jobs import Jobs
from atlas_client.connection import Document, OnDocument, path_of


class Drift(Jobs):
    """Asks whether datasets differ from the one that an atlas was made of."""

    def drift(self, atlas: str, dataset: str, **options: Any) -> Document:
        """Ask whether a dataset differs from the one that an atlas was made of.

        Args:
            atlas: The atlas's id.
            dataset: Id or alias of a dataset.
            **options: What else POST /v1/atlases/{atlas}/drift takes: layers, images, permutations, alpha, detect,
                seed, series.

        Returns:
            The job; give it to `made_drift`.
        """
        return self.json("POST", path_of("atlases", atlas, "drift"), json={"dataset": dataset, **options})

    def made_drift(self, job: Document, on_progress: OnDocument | None = None) -> Document:
        """Wait until a comparison is made; then it has a `summary` and a `description`. As `made_icons`."""
        return self._made(job, on_progress)

    def all_drift(self, atlas: str, series: str | None = None) -> list[Document]:
        """The comparisons that were asked for of an atlas, or of a series of it, in time; each with its `summary`."""
        filters = {} if series is None else {"series": series}
        return list(self.items(path_of("atlases", atlas, "drift"), **filters))
