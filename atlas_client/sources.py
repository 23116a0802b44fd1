"""Where the parts of an atlas are read from: a local folder, or a service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from atlas_client.client import Client
from atlas_client.connection import Document, path_of
from atlas_client.errors import BadInputError, ConflictError, NotFoundError


class Source(Protocol):
    """The parts of one atlas."""

    def manifest(self) -> Document:
        """The manifest."""
        ...

    def cells(self, layer: str, side: int) -> list[Document]:
        """The cells of a level, as in its cells.json."""
        ...

    def tile(self, layer: str, side: int, x: int, y: int) -> bytes | None:
        """The WebP of a tile; None where it has no cell."""
        ...

    def poster(self, layer: str, side: int) -> bytes:
        """The PNG of a whole level."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


class FolderSource:
    """A folder made by `atlas build`.

    Args:
        folder: It holds manifest.json.
    """

    def __init__(self, folder: Path) -> None:
        """Nothing is read yet."""
        self.folder = folder

    def manifest(self) -> Document:
        """The manifest.

        Raises:
            BadInputError: It is not there, or is no JSON.
        """
        value: Document = self._json(self.folder / "manifest.json")
        return value

    def cells(self, layer: str, side: int) -> list[Document]:
        """The cells of a level, as in its cells.json.

        Raises:
            BadInputError: They are not there, or are no JSON.
        """
        value: list[Document] = self._json(self._level(layer, side) / "cells.json")
        return value

    def tile(self, layer: str, side: int, x: int, y: int) -> bytes | None:
        """The WebP of a tile; None where it has no cell."""
        try:
            return (self._level(layer, side) / "tiles" / f"{x}-{y}.webp").read_bytes()
        except FileNotFoundError:
            return None

    def poster(self, layer: str, side: int) -> bytes:
        """The PNG of a whole level.

        Raises:
            BadInputError: It is not there.
        """
        file = self._level(layer, side) / "poster.png"
        try:
            return file.read_bytes()
        except OSError as error:
            raise BadInputError(f"cannot read {file}: {error.strerror}") from None

    def close(self) -> None:
        """Nothing is held."""

    def _level(self, layer: str, side: int) -> Path:
        return self.folder / quote(layer, safe="") / str(side)

    def _json(self, file: Path) -> Any:
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInputError(f"cannot read {file}: {error}") from None


class ServiceSource:
    """An atlas of a service.

    Args:
        client: The service.
        name: The atlas's id.
    """

    def __init__(self, client: Client, name: str) -> None:
        """Nothing is asked yet."""
        self.client = client
        self.name = name
        self._sides: dict[str, list[int]] = {}

    def manifest(self) -> Document:
        """The manifest.

        Raises:
            NotFoundError: There is no such atlas.
            ConflictError: It is not published yet.
        """
        document = self.client.status(self.name)
        value: Document | None = document.get("manifest")
        if value is None:
            raise ConflictError(
                f"the atlas {self.name} is {document['state']} and not published yet; "
                f"wait for it with `atlas status {self.name} --wait`", 409, "conflict")  # fmt: skip
        for layer, entry in value["layers"].items():
            self._sides[layer] = [level["side"] for level in entry["levels"]]
        return value

    def cells(self, layer: str, side: int) -> list[Document]:
        """The cells of a level, as in its cells.json."""
        return list(self.client.items(f"{self._level(layer, side)}/cells"))

    def tile(self, layer: str, side: int, x: int, y: int) -> bytes | None:
        """The WebP of a tile; None where it has no cell."""
        try:
            return self.client.request("GET", f"{self._level(layer, side)}/tiles/{x}/{y}").content
        except NotFoundError:
            return None

    def poster(self, layer: str, side: int) -> bytes:
        """The PNG of a whole level."""
        return self.client.request("GET", f"{self._level(layer, side)}/poster").content

    def close(self) -> None:
        """Close the client."""
        self.client.close()

    def _level(self, layer: str, side: int) -> str:
        if layer not in self._sides:
            self.manifest()
        z = self._sides[layer].index(side)
        return path_of("atlases", self.name, "layers", layer, "levels", z)
