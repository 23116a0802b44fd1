"""Manifests: tables of keys and labels, as CSV or Parquet."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import IO, Any, NamedTuple, cast

from atlas_core.datasets.sources import MAX_ENTRIES, Content, Entry, Source, Span, leaves
from atlas_core.errors import DatasetError

KEYS = ("key", "image", "path", "file")
LABEL = "label"
MAX_MANIFEST_BYTES = 1 << 30
MOST_TEXT = 1_024  # characters of a key or label


class Unusable(Exception):  # noqa: N818 - it says what the manifest is
    """A manifest that cannot be used, and why."""


class Row(NamedTuple):
    """A picture that a manifest names, with the label where it has one."""

    key: str
    label: str | None


class ManifestSource:
    """The pictures that a manifest names, wherever they lie.

    Args:
        files: Where the keys are looked for; ours to close.
        rows: Of the manifest; None where the dataset is listed already.
    """

    chosen = True
    labelled = True

    def __init__(self, files: Source, rows: Sequence[Row] | None) -> None:
        """Take both."""
        self._files = files
        self.far = files.far
        self._rows = rows or ()

    def entries(self, below: str = "") -> Iterator[Entry]:
        """The rows whose key begins so."""
        wanted = [row for row in self._rows if row.key.startswith(below)]
        found = self._files.lookup([row.key for row in wanted])
        for row, entry in zip(wanted, found, strict=True):
            yield entry._replace(label=row.label)

    def lookup(self, names: Iterable[str]) -> Iterator[Entry]:
        """As the files have them."""
        return self._files.lookup(names)

    def read(self, name: str, span: Span | None = None) -> Content:
        """The bytes of a file; errors as the files have them."""
        return self._files.read(name, span)

    def close(self) -> None:
        """Close the files."""
        self._files.close()


def read_csv(data: bytes) -> list[Row]:
    """The rows of a CSV in UTF-8 whose first line names its columns: `key` (or image, path, file) and `label`.

    Raises:
        DatasetError: It is none, lacks the column, or a line's key is missing, doubled or leaves its root.
    """
    try:
        lines = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        header = [name.strip().lower() for name in next(lines, [])]
        key, label = columns_of(header)
        rows = _Rows("line")
        for values in lines:
            if values:
                if len(values) != len(header):
                    raise _wrong(f"line {lines.line_num} has {len(values)} values, the first has {len(header)}")
                rows.add(lines.line_num, values[key], None if label is None else values[label])
    except UnicodeDecodeError as error:
        raise _wrong(f"byte {error.start} is no UTF-8; save it as UTF-8") from None
    except csv.Error as error:
        raise _wrong(f"line {lines.line_num}: {error}") from None
    except Unusable as error:
        raise _wrong(str(error)) from None
    return rows.found


def read_parquet(data: bytes) -> list[Row]:
    """The rows of a Parquet file with a column `key` (or image, path, file) of text, and `label` of text or integers.

    Raises:
        DatasetError: It is none, lacks the column, or a row's key is missing, doubled or leaves its root.
    """
    rows = _Rows("row")
    try:
        for number, values in enumerate(_parquet_rows(data), 1):
            rows.add(number, *values)
    except Unusable as error:
        raise _wrong(str(error)) from None
    return rows.found


def _parquet_rows(data: bytes) -> Iterator[list[Any]]:
    """What `parquet_rows` tells of it."""
    command = [sys.executable, "-P", "-m", "atlas_core.datasets.parquet_rows"]
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing) as process:
        source, told = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        with suppress(BrokenPipeError), source:
            source.write(data)
        for line in told:
            row = json.loads(line)
            if isinstance(row, dict):
                raise Unusable(row["unusable"])
            yield row
    if process.returncode:
        raise Unusable("no Parquet that can be read: reading it takes too much memory, or breaks the library")


def columns_of(names: Sequence[str]) -> tuple[int, int | None]:
    """Where among the columns of a manifest its keys are, and its labels if it has any.

    Raises:
        Unusable: It has no column of keys.
    """
    key = next((names.index(name) for name in KEYS if name in names), None)
    if key is None:
        there = ", ".join(names[:20])[:200] or "nothing"
        raise Unusable(f"it has no column {', '.join(KEYS[:-1])} or {KEYS[-1]}, only {there}")
    return key, names.index(LABEL) if LABEL in names else None


class _Rows:
    def __init__(self, unit: str) -> None:
        self.found: list[Row] = []
        self._unit = unit
        self._first: dict[str, int] = {}

    def add(self, number: int, key: Any, label: Any = None) -> None:
        where = f"{self._unit} {number}"
        if not isinstance(key, str) or not key.strip():
            raise _wrong(f"{where} has no key")
        key = key.strip().removeprefix("./")
        if max(len(key), len(str(label))) > MOST_TEXT:
            raise _wrong(f"{where}: a key or label of more than {MOST_TEXT} characters")
        if leaves(key):
            raise _wrong(f"{where}: the key {key!r} leaves the dataset; write keys as paths below the folder of the "
                         "manifest, or below the card's `root`")  # fmt: skip
        if key in self._first:
            raise _wrong(f"{where}: the key {key!r} stands in {self._unit} {self._first[key]} already")
        if len(self.found) >= MAX_ENTRIES:
            raise _wrong(f"it has more than {MAX_ENTRIES} rows")
        self._first[key] = number
        self.found.append(Row(key, None if label is None else str(label).strip() or None))


def _wrong(what: str) -> DatasetError:
    return DatasetError(f"the dataset's manifest cannot be used: {what}", pointer="/source")
