"""Models and datasets: register, look at, wait until they are inspected."""

from __future__ import annotations

from pathlib import Path

from atlas_client.calls.jobs import Jobs
from atlas_client.cards import resolve_dataset_card, resolve_model_card
from atlas_client.connection import Document, OnDocument, path_of
from atlas_client.errors import BadInputError

INSPECTED = ("ready", "refused")


class Registered(Jobs):
    """Asks about models and datasets."""

    def add_model(self, card: str | Path, dataset: str | None = None) -> Document:
        """Register a model by its card; the files that it names are uploaded.

        Args:
            card: The card's file.
            dataset: Id of a labelled dataset on which the service measures the model's accuracy.
        """
        body: Document = {"card": resolve_model_card(Path(card), self.upload)}
        return self.json("POST", "/v1/models", json=body | ({"dataset": dataset} if dataset else {}))

    def add_dataset(self, card: str | Path) -> Document:
        """Register a dataset by its card; its zip, or its folder packed into one, is uploaded."""
        return self.json("POST", "/v1/datasets", json={"card": resolve_dataset_card(Path(card), self.upload)})

    def model(self, name: str) -> Document:
        """A registered model."""
        return self.json("GET", path_of("models", name))

    def dataset(self, name: str) -> Document:
        """A registered dataset."""
        return self.json("GET", path_of("datasets", name))

    def models(self) -> list[Document]:
        """All registered models."""
        return list(self.items("/v1/models"))

    def datasets(self) -> list[Document]:
        """All registered datasets."""
        return list(self.items("/v1/datasets"))

    def delete(self, kind: str, name: str) -> None:
        """Delete what nothing else is made of; what it takes is freed by the next garbage collection.

        Args:
            kind: `models`, `datasets`, `atlases`, `audits` or `comparisons`.
            name: Its id.
        """
        self.request("DELETE", path_of(kind, name))

    def wait_ready(self, kind: str, name: str, on_progress: OnDocument | None = None) -> Document:
        """Wait until a model or dataset is inspected.

        Args:
            kind: `models` or `datasets`.
            name: Its id.
            on_progress: Called with every document seen.

        Raises:
            BadInputError: It was refused; says why.
        """
        path = path_of(kind, name)
        value = self._poll(path, INSPECTED, on_progress)
        if value["state"] == "refused":
            reasons = "; ".join(value.get("reasons") or ["no reason given"])
            raise BadInputError(f"the {kind[:-1]} {value.get('name', name)!r} was refused: {reasons}")
        return value
