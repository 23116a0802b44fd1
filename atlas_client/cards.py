"""Cards on disk made ready to travel: files become blobs, lists of names become inline.

The service validates what a card says; here only what it names on this machine is looked at.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from atlas_client.errors import BadInputError

PutBlob = Callable[[Path], str]
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold, so that the same folder is the same bytes


def read_card(path: Path) -> dict[str, Any]:
    """Read a card from a JSON file.

    Raises:
        BadInputError: The file is missing or holds no JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"cannot read the card {path}: {error.strerror}") from None
    except ValueError as error:
        raise BadInputError(f"the card {path} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadInputError(f"the card {path} is no JSON object")
    return value


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in hex, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def resolve_model_card(path: Path, put_blob: PutBlob) -> dict[str, Any]:
    """Read a model card; its weights or graph become blobs, its labels a list.

    Args:
        path: The card.
        put_blob: Uploads a file and returns its SHA-256 in hex.

    Raises:
        BadInputError: The card or a file that it names cannot be read.
    """
    card = read_card(path)
    for field in ("weights", "source"):
        value = card.get(field)
        if isinstance(value, str) and not value.startswith("sha256:"):
            card[field] = "sha256:" + put_blob(_file(path, field, value))
    return _with_lines(card, "labels", path)


def resolve_dataset_card(path: Path, put_blob: PutBlob) -> dict[str, Any]:
    """Read a dataset card; its zip, or its folder packed into one, becomes a blob, its classes a list.

    Args:
        path: The card.
        put_blob: Uploads a file and returns its SHA-256 in hex.

    Raises:
        BadInputError: The card or what it names cannot be read.
    """
    card = read_card(path)
    source = card.get("source")
    if isinstance(source, str) and not source.startswith(("sha256:", "file:")):
        place = path.parent / source
        if place.is_dir():
            with packed(place) as archive:
                card["source"] = "sha256:" + put_blob(archive)
        else:
            card["source"] = "sha256:" + put_blob(_file(path, "source", source))
    return _with_lines(card, "classes", path)


@contextlib.contextmanager
def packed(folder: Path) -> Iterator[Path]:
    """A temporary zip of a folder's files, uncompressed; the same files give the same bytes.

    Raises:
        BadInputError: The folder holds no file, or one that cannot be read.
    """
    files = sorted((file.relative_to(folder).as_posix(), file) for file in folder.rglob("*") if file.is_file())
    if not files:
        raise BadInputError(f"the folder {folder} holds no files")
    with tempfile.TemporaryDirectory(prefix="atlas-") as scratch:
        archive = Path(scratch) / "source.zip"
        try:
            _pack(files, archive)
        except OSError as error:
            raise BadInputError(f"cannot pack the folder {folder}: {error}") from None
        yield archive


def _pack(files: list[tuple[str, Path]], archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as output:
        for name, file in files:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            entry.file_size = file.stat().st_size
            with file.open("rb") as source, output.open(entry, "w") as target:
                while piece := source.read(1 << 20):
                    target.write(piece)


def _file(card: Path, field: str, name: str) -> Path:
    file = card.parent / name
    if not file.is_file():
        raise BadInputError(f"the card {card} names {name!r} as its {field}, which is not there")
    return file


def _with_lines(card: dict[str, Any], field: str, path: Path) -> dict[str, Any]:
    value = card.get(field)
    if isinstance(value, str):
        try:
            text = _file(path, field, value).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise BadInputError(f"cannot read the list {value!r} that the card {path} names as its {field}") from None
        card[field] = [line.strip() for line in text.splitlines() if line.strip()]
    return card
