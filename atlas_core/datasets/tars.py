"""Tars of pictures: looked through once, then read at random; and WebDataset's shards, which are such tars.

The headers are read here and not by `tarfile`, which believes any size that a header states and keeps every member.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import product
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from atlas_core.datasets.readers import as_file
from atlas_core.datasets.sources import MAX_BYTES, MAX_ENTRIES, Content, Entry, Span, looked_up
from atlas_core.errors import DatasetError, ImageError

if TYPE_CHECKING:
    from atlas_core.datasets.readers import SpanReader

BLOCK = 512
MOST_TOLD = 1 << 16  # bytes of a long name or of extended headers
MOST_LABEL = 1 << 20
MAX_SHARDS = 100_000
FILES = (b"0", b"\0", b"7")
FOLDER, LONG_NAME, EXTENDED, EXTENDED_ALL = b"5", b"L", b"x", b"g"
REFUSED = {b"1": "a hard link", b"2": "a link", b"3": "a device", b"4": "a device", b"6": "a pipe", b"S": "sparse"}
COMPRESSED = {b"\x1f\x8b": "gunzip", b"BZ": "bunzip2", b"\xfd7": "unxz", b"\x28\xb5": "unzstd"}
MAX_OPEN = 64
"""Shards held open at a time."""
LABELS = ("cls", "json")
SHARD_PICTURES = ("jpg", "jpeg", "png", "webp", "npy")
BRACES = re.compile(r"\{([^{}]*)\}")


class Member(NamedTuple):
    """A regular file in a tar: its name, where its bytes begin, and how many there are."""

    name: str
    offset: int
    size: int


def members(file: BinaryIO, size: int) -> Iterator[Member]:
    """Regular files in a tar, in order; headers are read, bytes passed over.

    Args:
        file: The tar, seekable.
        size: Its length in bytes.

    Raises:
        DatasetError: No tar, a truncated one, links or devices in it, a path that leaves it, or too many entries.
    """
    place, told, count = 0, _Told(), 0
    while place < size:
        file.seek(place)
        header = file.read(BLOCK)
        if header == bytes(BLOCK):
            return
        _refuse_unsound(header, place)
        kind, length, begin = header[156:157], _number(header[124:136]), place + BLOCK
        if kind in (LONG_NAME, EXTENDED, EXTENDED_ALL):
            if length > MOST_TOLD:
                raise _broken(f"a header of {length} bytes at byte {place}")
            told.take(kind, file.read(length))
        else:
            name, length = told.name or _name(header), length if told.size is None else told.size
            told = _Told()
            count += 1
            if count > MAX_ENTRIES:
                raise DatasetError(f"a tar of more than {MAX_ENTRIES} entries", pointer="/source")
            if kind in REFUSED:
                raise DatasetError(f"the tar's entry {name!r} is {REFUSED[kind]}; store the file", pointer="/source")
            length = 0 if kind == FOLDER else length
            if begin + length <= size and kind in FILES:
                yield Member(_plain(name), begin, length)
        if begin + length > size:
            raise _broken(f"an entry of {length} bytes reaches over its end")
        place = begin + -(-length // BLOCK) * BLOCK
    raise _broken("its end is missing")


class _Told:
    """What the headers before a header say of it."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.size: int | None = None

    def take(self, kind: bytes, data: bytes) -> None:
        if kind == LONG_NAME:
            self.name = data.rstrip(b"\0").decode("utf-8", "replace")
        while kind == EXTENDED and data:
            length, _, rest = data.partition(b" ")
            if not length.isdigit() or not len(length) < int(length) <= len(data):
                raise _broken("an extended header that cannot be read")
            field, _, value = rest[: int(length) - len(length) - 1].rstrip(b"\n").partition(b"=")
            if field == b"path":
                self.name = value.decode("utf-8", "replace")
            elif field == b"size":
                self.size = _decimal(value)
            elif field.startswith(b"GNU.sparse"):
                raise DatasetError("the tar holds sparse files; pack it without --sparse", pointer="/source")
            data = data[int(length) :]


def _sound(header: bytes) -> bool:
    """Whether the header's checksum holds."""
    stated = header[148:156].strip(b" \0")
    return bool(re.fullmatch(rb"[0-7]{1,8}", stated)) and int(stated, 8) == sum(header) - sum(header[148:156]) + 256


def _number(field: bytes) -> int:
    if field[0] == 0x80:  # large numbers stand in binary
        return int.from_bytes(field[1:], "big")
    stated = field.strip(b" \0") or b"0"
    if not re.fullmatch(rb"[0-7]+", stated):
        raise _broken("a size that is no number")
    return int(stated, 8)


def _decimal(value: bytes) -> int:
    if not value.isdigit() or len(value) > 19:
        raise _broken("a size that is no number")
    return int(value)


def _name(header: bytes) -> str:
    name = header[:100].partition(b"\0")[0]
    if header[257:263] == b"ustar\0" and (prefix := header[345:500].partition(b"\0")[0]):
        name = prefix + b"/" + name
    return name.decode("utf-8", "replace")


def _plain(name: str) -> str:
    plain = "/".join(part for part in name.split("/") if part != ".") if not name.startswith("/") else name
    path = PurePosixPath(plain)
    if not plain or path.is_absolute() or ".." in path.parts or "\\" in plain:
        raise DatasetError(f"the tar's entry {name!r} would leave the archive", pointer="/source")
    return path.as_posix()


def _broken(what: str) -> DatasetError:
    return DatasetError(f"the dataset's source is no tar that can be read: {what}", pointer="/source")


def _refuse_unsound(header: bytes, place: int) -> None:
    if len(header) == BLOCK and _sound(header):
        return
    remedy = COMPRESSED.get(header[:2]) if place == 0 else None
    if remedy:
        raise DatasetError(
            f"the dataset's source is a compressed tar, of which no part can be read without the rest; {remedy} it "
            "first: pictures are compressed already",
            pointer="/source",
        )
    raise _broken(f"no header that can be read at byte {place}")


class TarSource:
    """Files in tars, each read by where it lies.

    Args:
        open_tar: Opens a tar by its name.
        tars: Names of the tars; image ids begin with them, without `.tar`, but for one that is named "".
        samples: Whether they hold WebDataset's samples: files whose paths are equal up to the first dot of the last
            part, of which one is the picture, and `cls` or the `label` or `class` in `json` its label.
        far: Whether they lie in object storage.
    """

    chosen = False

    def __init__(
        self, open_tar: Callable[[str], SpanReader], tars: Sequence[str], *, samples: bool = False, far: bool = False
    ) -> None:
        """Nothing is opened yet."""
        if len(tars) > MAX_SHARDS:
            raise DatasetError(f"{len(tars)} shards; at most {MAX_SHARDS} are taken", pointer="/source")
        self.labelled = samples
        self.far = far
        self._tars = tars
        self._open = open_tar
        self._readers: OrderedDict[str, SpanReader] = OrderedDict()
        self._lock = threading.Lock()

    def entries(self, below: str = "") -> Iterator[Entry]:
        """Every file or picture of a sample whose name begins so; looks through every tar from end to end."""
        for tar in self._tars:
            reader = self._reader(tar)
            file, start = as_file(reader), f"{tar.removesuffix('.tar')}/" if tar else ""
            files: dict[str, Entry] = {}
            labels: dict[str, _Label] = {}
            for member in members(file, reader.size):
                name = start + member.name
                files[name] = self._entry(tar, name, member, reader)
                if self.labelled and _kind(name) in LABELS:
                    file.seek(member.offset)  # which is at hand now; later it would be a journey for each
                    labels[name] = _label(name, file.read(min(member.size, MOST_LABEL + 1)))
            chosen = _samples(files, labels) if self.labelled else files
            for name, entry in chosen.items():
                if name.startswith(below):
                    yield entry

    def _entry(self, tar: str, name: str, member: Member, reader: SpanReader) -> Entry:
        wrong = f"more than {MAX_BYTES} bytes" if member.size > MAX_BYTES else None
        identity = reader.identity(member.offset, member.size)
        return Entry(name, member.size, (tar, member.offset, member.size), identity, None, wrong)

    def lookup(self, names: Iterable[str]) -> Iterator[Entry]:
        """Files by name."""
        return looked_up(self, names)

    def read(self, name: str, span: Span | None = None) -> Content:
        """The bytes of a file, where its span says.

        Raises:
            ImageError: It is cut off.
        """
        if span is None:
            raise ImageError("nobody knows where in the tar it lies; register the dataset again")
        tar, offset, length = span
        reader = self._reader(tar)
        data = reader.read(offset, length)
        if len(data) < length:
            raise ImageError("the tar has become shorter since it was listed")
        return Content(data, reader.identity(offset, length))

    def _reader(self, tar: str) -> SpanReader:
        with self._lock:
            if tar not in self._readers:
                self._readers[tar] = self._open(tar)
                if len(self._readers) > MAX_OPEN:
                    self._readers.popitem(last=False)  # others may read from it still, so it closes by itself
            self._readers.move_to_end(tar)
            return self._readers[tar]

    def close(self) -> None:
        """Close the tars."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()


class _Label(NamedTuple):
    """The class that a file of a sample tells, None where it tells none."""

    text: str | None
    readable: bool = True


def _kind(name: str) -> str:
    return name.rpartition("/")[2].partition(".")[2].lower()


def _samples(files: dict[str, Entry], labels: dict[str, _Label]) -> dict[str, Entry]:
    """The pictures of samples, with their labels."""
    samples: dict[str, dict[str, str]] = {}
    for name in files:
        folder, slash, file = name.rpartition("/")
        samples.setdefault(folder + slash + file.partition(".")[0], {})[_kind(name)] = name
    found = {}
    for sample in samples.values():
        pictures = [sample[kind] for kind in SHARD_PICTURES if kind in sample]
        if len(pictures) > 1 and "npy" in sample:  # then the array is something about the picture
            pictures.remove(sample["npy"])
        told = next((sample[kind] for kind in LABELS if kind in sample), None)
        if pictures and told and not labels[told].readable:
            raise DatasetError(f"the label in {told!r} cannot be read: text or a whole number is taken",
                               pointer="/source")  # fmt: skip
        label = labels[told].text if told else None
        found.update({name: files[name]._replace(label=label) for name in pictures})
    return found


def _label(name: str, data: bytes) -> _Label:
    with suppress(UnicodeDecodeError, ValueError, RecursionError):
        if len(data) <= MOST_LABEL:
            text = data.decode().strip()
            if _kind(name) == "cls":
                return _Label(text or None)
            fields = json.loads(text)
            label = fields.get("label", fields.get("class")) if isinstance(fields, dict) else None
            if label is None or (isinstance(label, str | int) and not isinstance(label, bool)):
                return _Label(None if label is None else str(label))
    return _Label(None, readable=False)


def expanded(pattern: str) -> list[str]:
    """Names that a pattern with braces stands for: `{000..003}` counts, `{a,b}` lists.

    Raises:
        DatasetError: There are too many, or a range runs backwards.
    """
    pieces = BRACES.split(pattern)
    choices = [[piece] if index % 2 == 0 else _choices(piece) for index, piece in enumerate(pieces)]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > MAX_SHARDS:
        raise DatasetError(f"{pattern!r} names {count} shards; at most {MAX_SHARDS} are taken", pointer="/source")
    return ["".join(parts) for parts in product(*choices)]


def _choices(braces: str) -> list[str]:
    found = re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", braces)
    if found is None:
        return braces.split(",")
    first, last = map(int, found.groups())
    if not first <= last < first + MAX_SHARDS:
        raise DatasetError(f"{{{braces}}} is no range of at most {MAX_SHARDS} shards", pointer="/source")
    return [str(number).zfill(len(found[1])) for number in range(first, last + 1)]
