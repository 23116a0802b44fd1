"""From a card's words to a source: `sha256:HEX`, `file:///path` or `store://NAME/path`, in six formats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

from atlas_core.datasets.manifests import MAX_MANIFEST_BYTES, ManifestSource, Row, read_csv, read_parquet
from atlas_core.datasets.objects import ObjectSource, ObjectStorage
from atlas_core.datasets.readers import SpanReader, StreamReader
from atlas_core.datasets.sources import FolderSource, Place, Source
from atlas_core.datasets.tars import COMPRESSED, TarSource, expanded
from atlas_core.datasets.zips import ZipSource
from atlas_core.errors import DatasetError

if TYPE_CHECKING:
    from atlas_core.cards import DatasetCard

Format: TypeAlias = Literal["folder", "zip", "tar", "webdataset", "csv", "parquet"]
OpenBlob: TypeAlias = Callable[[str], BinaryIO]
OpenStore: TypeAlias = Callable[[str], "Path | ObjectStorage"]
SUFFIXES: dict[str, Format] = {".zip": "zip", ".tar": "tar", ".csv": "csv", ".parquet": "parquet"}
COMPRESSED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
READ = {"csv": read_csv, "parquet": read_parquet}
SCHEMES = ("sha256", "file", "store")


def no_store(name: str) -> Path:
    """Where no store is registered."""
    raise DatasetError(f"there is no dataset store {name!r} here; none is registered", pointer="/source")


def open_source(card: DatasetCard, open_blob: OpenBlob, open_store: OpenStore, *, listed: bool) -> Source:
    """The source of a resolved card.

    Args:
        card: The card.
        open_blob: Opens a blob by its SHA-256 in hex; the file must be seekable.
        open_store: Opens a registered store by its name.
        listed: Whether what it holds is known already: then a manifest is not read again.

    Raises:
        DatasetError: The source is missing, is not of its format, or lies in no registered store.
    """
    opener = _Opener(open_blob, open_store)
    scheme, path = _parts(card.source, "/source")
    if scheme == "sha256":
        return opener.blob(path, card, listed=listed)
    kind = card.format or _guess(opener, card.source, path)
    if kind == "folder":
        return opener.place(card.source, "/source")
    folder, _, name = card.source.rstrip("/").rpartition("/")
    name = unquote(name)
    if kind in READ:
        data = None if listed else _all(opener.place(folder, "/source").open(name))
        return ManifestSource(opener.root(card, folder), _rows(kind, data))
    if kind == "webdataset":
        return _shards(opener, card.source, folder, name)
    place = opener.place(folder, "/source")
    reader = place.open(name)
    return ZipSource(reader) if kind == "zip" else TarSource(lambda _: reader, [""], far=place.far)


class _Opener:
    def __init__(self, open_blob: OpenBlob, open_store: OpenStore) -> None:
        self._open_blob = open_blob
        self._open_store = open_store

    def blob(self, sha256: str, card: DatasetCard, *, listed: bool) -> Source:
        reader = StreamReader(self._open_blob(sha256))
        kind = card.format or _guess_blob(reader)
        if kind in READ:
            data = None if listed else _all(reader)
            reader.close()
            if card.root is None:
                raise DatasetError("a manifest that was uploaded needs the card's `root`, where its keys lie",
                                   pointer="/root")  # fmt: skip
            return ManifestSource(self.root(card, card.root), _rows(kind, data))
        if kind == "zip":
            return ZipSource(reader)
        return TarSource(lambda _: reader, [""], samples=kind == "webdataset")

    def root(self, card: DatasetCard, folder: str) -> Source:
        """Where the keys of a manifest lie; links may not leave a folder."""
        uri = folder if card.root is None else card.root
        scheme, path = _parts(uri, "/root")
        if scheme == "sha256":
            reader = StreamReader(self._open_blob(path))
            return ZipSource(reader) if _guess_blob(reader) == "zip" else TarSource(lambda _: reader, [""])
        return self.place(uri, "/root", confined=True)

    def place(self, uri: str, pointer: str, *, confined: bool = False) -> Place:
        """The folder or prefix that a URI names."""
        scheme, path = _parts(uri, pointer)
        if scheme == "file":
            return FolderSource(Path(path), Path(path) if confined else None)
        name, _, below = path.partition("/")
        store = self._open_store(name)
        if isinstance(store, Path):
            return FolderSource(store / below, store / below if confined else store)
        return ObjectSource(store, below)


def _parts(uri: str, pointer: str) -> tuple[str, str]:
    """Scheme and path of a URI, the path decoded; of a store its name comes first."""
    scheme, _, rest = uri.partition(":")
    if scheme not in SCHEMES:
        raise DatasetError("a dataset lies at `sha256:HEX`, `file:///path` or `store://NAME/path`", pointer=pointer)
    if scheme == "sha256":
        return scheme, rest
    parts = urlsplit(uri)
    path = unquote(parts.path)
    if scheme == "file":
        return scheme, path
    if ".." in path.split("/") or "\\" in path or "\0" in path or parts.query or parts.fragment:
        raise DatasetError(f"{uri!r} leaves the registered store", pointer=pointer)
    return scheme, "/".join([parts.netloc, *(part for part in path.split("/") if part not in ("", "."))])


def _guess(opener: _Opener, uri: str, path: str) -> Format:
    """The format by the name; what has none that is known is a folder, or on this machine what its bytes say."""
    name = PurePosixPath(path).name.lower()
    if name.endswith(COMPRESSED_TARS):
        raise DatasetError(f"{name!r} is a compressed tar, of which no part can be read without the rest; decompress "
                           "it first: pictures are compressed already", pointer="/source")  # fmt: skip
    if uri.startswith("file:"):
        if Path(path).is_dir():
            return "folder"
        if Path(path).is_file() and PurePosixPath(name).suffix not in SUFFIXES:
            reader = opener.place(uri.rstrip("/").rpartition("/")[0], "/source").open(PurePosixPath(path).name)
            try:
                return _guess_blob(reader)
            finally:
                reader.close()
    if "{" in name:
        return "webdataset"
    if PurePosixPath(name).suffix not in SUFFIXES and uri.startswith("file:"):
        raise DatasetError(f"the source of the dataset, {PurePosixPath(path).name!r}, is not there", pointer="/source")
    return SUFFIXES.get(PurePosixPath(name).suffix, "folder")


def _guess_blob(reader: SpanReader) -> Format:
    """The format by the first bytes; what is neither zip nor Parquet is taken for a tar where it says so."""
    begin = reader.read(0, 512)
    if begin[:4] == b"PAR1":
        return "parquet"
    return "tar" if begin[257:262] == b"ustar" or begin[:2] in COMPRESSED else "zip"


def _shards(opener: _Opener, uri: str, folder: str, name: str) -> TarSource:
    if name.endswith(".tar"):
        place, names = opener.place(folder, "/source"), expanded(name)
    else:
        place = opener.place(uri, "/source")
        names = sorted(entry.name for entry in place.entries() if entry.name.endswith(".tar"))
    if not names:
        raise DatasetError("the source holds no shards, which are files named .tar", pointer="/source")
    return TarSource(place.open, names, samples=True, far=place.far)


def _all(reader: SpanReader) -> bytes:
    try:
        if reader.size > MAX_MANIFEST_BYTES:
            raise DatasetError(f"a manifest of more than {MAX_MANIFEST_BYTES} bytes", pointer="/source")
        return reader.read(0, reader.size)
    finally:
        reader.close()


def _rows(kind: str, data: bytes | None) -> list[Row] | None:
    return None if data is None else READ[kind](data)
