"""Cards on disk made ready to travel: files become blobs, lists of names become inline.

The service validates what a card says; here only what it names on this machine is looked at.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import re
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from atlas_client.errors import BadInputError

PutBlob = Callable[[Path], str]
RESOLVED = ("sha256:", "file:", "store:")
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".npy")
KEYS = ("key", "image", "path", "file")  # columns of a manifest that name its files
MANIFESTS = {".csv": "csv", ".parquet": "parquet"}
MOST_SHARDS = 100_000
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
    """Read a dataset card; what it names on this machine becomes blobs, its classes a list.

    An archive goes as it is, a folder's pictures packed into a zip, shards into one tar; a manifest goes with a zip: a
    CSV with the files that it names, Parquet, which this client cannot read, with all pictures below. `file:` and
    `store:` sources stay where they are, for the service to read.

    Args:
        path: The card.
        put_blob: Uploads a file and returns its SHA-256 in hex.

    Raises:
        BadInputError: The card or what it names cannot be read.
    """
    card = read_card(path)
    source = card.get("source")
    if isinstance(source, str) and not source.startswith(RESOLVED):
        place = path.parent / source
        kind = card.get("format") or ("webdataset" if "{" in place.name else MANIFESTS.get(place.suffix.lower()))
        if kind == "webdataset":
            with packed_shards(shards_of(place)) as archive:
                card |= {"source": "sha256:" + put_blob(archive), "format": kind}
        elif kind in MANIFESTS.values():
            file, root = _file(path, "source", source), card.get("root")
            if not str(root).startswith(RESOLVED):
                folder = file.parent if root is None else path.parent / root
                with packed(folder, _named(file, folder) if kind == "csv" else None) as archive:
                    card["root"] = "sha256:" + put_blob(archive)
            card |= {"source": "sha256:" + put_blob(file), "format": kind}
        elif place.is_dir():
            with packed(place) as archive:
                card["source"] = "sha256:" + put_blob(archive)
            card.pop("format", None)  # it was a folder
        else:
            card["source"] = "sha256:" + put_blob(_file(path, "source", source))
    return _with_lines(card, "classes", path)


def shards_of(place: Path) -> list[Path]:
    """The shards that a folder, a tar or a name with a range such as `shards-{000..003}.tar` stands for.

    Raises:
        BadInputError: One is not there, or there is none.
    """
    found = re.fullmatch(r"(.*)\{(\d{1,9})\.\.(\d{1,9})\}(.*)", place.name)
    if place.is_dir():
        shards = sorted(place.rglob("*.tar"))
    elif found:
        before, first, last, after = found.groups()
        numbers = range(int(first), min(int(last), int(first) + MOST_SHARDS) + 1)
        shards = [place.with_name(f"{before}{str(number).zfill(len(first))}{after}") for number in numbers]
    else:
        shards = [place]
    missing = [shard.name for shard in shards if not shard.is_file()]
    if missing or not shards:
        raise BadInputError(f"the shard {(missing or [place.name])[0]!r} is not there")
    return shards


@contextlib.contextmanager
def packed_shards(shards: list[Path]) -> Iterator[Path]:
    """A temporary tar of all files in shards, below the name of each; the same files give the same bytes.

    Raises:
        BadInputError: A shard cannot be read, or holds what is no file.
    """
    with tempfile.TemporaryDirectory(prefix="atlas-") as scratch:
        archive = Path(scratch) / "source.tar"
        try:
            with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as output:
                for shard in shards:
                    with tarfile.open(shard, "r:") as source:
                        for member in source:
                            if member.isdir():
                                continue
                            if not member.isreg():
                                raise BadInputError(f"{member.name!r} in the shard {shard.name} is no file")
                            entry = tarfile.TarInfo(f"{shard.stem}/{member.name.removeprefix('./')}")
                            entry.size = member.size
                            output.addfile(entry, source.extractfile(member))
        except (tarfile.TarError, OSError) as error:
            raise BadInputError(f"cannot pack the shards: {error}") from None
        yield archive


def _named(manifest: Path, folder: Path) -> list[str]:
    """Files of a folder that a CSV names; what it names besides is for the service to refuse."""
    try:
        lines = csv.DictReader(io.StringIO(manifest.read_text(encoding="utf-8-sig"), newline=""))
        named = {name.strip().lower(): name for name in lines.fieldnames or ()}
        column = next((named[key] for key in KEYS if key in named), None)
        keys = {(line[column] or "").strip().removeprefix("./") for line in lines} if column else set()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"cannot read the manifest {manifest}: {error}") from None
    inside = [key for key in keys if key and not {"", ".", ".."} & set(key.split("/")) and "\0" not in key]
    return sorted(key for key in inside if (folder / key).is_file())


def _pictures(folder: Path) -> list[str]:
    found = (file.relative_to(folder) for file in folder.rglob("*") if file.suffix.lower() in PICTURES)
    return sorted(file.as_posix() for file in found
                  if not any(part.startswith(".") for part in file.parts) and (folder / file).is_file())  # fmt: skip


@contextlib.contextmanager
def packed(folder: Path, names: list[str] | None = None) -> Iterator[Path]:
    """A temporary zip of files in a folder, uncompressed; the same files give the same bytes.

    Args:
        folder: Where they are.
        names: Paths below it; by default all pictures, known by their suffix.

    Raises:
        BadInputError: There are none, or one that cannot be read.
    """
    files = [(name, folder / name) for name in (_pictures(folder) if names is None else names)]
    if not files:
        raise BadInputError(f"the folder {folder} holds no picture: .jpg, .jpeg, .png or .webp" if names is None else
                            f"the folder {folder} holds none of the files that the manifest names")  # fmt: skip
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
