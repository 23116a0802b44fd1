"""Manifests: tables of keys and labels, as CSV or Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from atlas_core.datasets.sources import MAX_ENTRIES, Content, Entry, Source, Span, leaves
from atlas_core.errors import DatasetError

KEYS = ("key", "image", "path", "file")
LABEL = "label"
MAX_MANIFEST_BYTES = 1 << 30
MOST_TEXT = 1_024  # characters of a key or label
ROWS_AT_ONCE = 50_000


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
        key, label = _columns(header)
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
    return rows.found


def read_parquet(data: bytes) -> list[Row]:
    """The rows of a Parquet file with a column `key` (or image, path, file) of text, and `label` of text or integers.

    Raises:
        DatasetError: It is none, lacks the column, or a row's key is missing, doubled or leaves its root.
    """
    import pyarrow
    from pyarrow import parquet

    rows = _Rows("row")
    try:
        schema = parquet.read_schema(pyarrow.BufferReader(data))
        names = schema.names
        key, label = _columns([name.lower() for name in names])
        _check_type(schema.field(key), text=True)
        if label is not None:
            _check_type(schema.field(label), text=False)
        wanted = [names[key]] if label is None else [names[key], names[label]]
        # Texts stay numbers of a dictionary, so that few bytes cannot become many.
        table = parquet.ParquetFile(pyarrow.BufferReader(data), read_dictionary=wanted)
        _check_size(table.metadata, wanted)
        number = 0
        for batch in table.iter_batches(ROWS_AT_ONCE, columns=wanted):
            columns = [_values(batch.column(name)) for name in wanted]
            for values in zip(*columns, strict=True):
                number += 1
                rows.add(number, *values)
    except (pyarrow.ArrowException, OSError, KeyError, ValueError) as error:
        raise _wrong(f"no Parquet that can be read: {str(error).partition(chr(10))[0][:200]}") from None
    return rows.found


def _check_type(field: Any, *, text: bool) -> None:
    from pyarrow import types

    held = field.type.value_type if types.is_dictionary(field.type) else field.type
    texts = types.is_string(held) or types.is_large_string(held) or types.is_string_view(held)
    if texts or (not text and (types.is_integer(held) or types.is_null(held))):
        return
    taken = "text is taken" if text else "text or whole numbers are taken"
    raise _wrong(f"its column {field.name!r} holds {str(field.type)[:80]}; {taken}")


def _check_size(metadata: Any, wanted: Sequence[str]) -> None:
    if metadata.num_rows > MAX_ENTRIES:
        raise _wrong(f"it has more than {MAX_ENTRIES} rows")
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    columns = (group.column(place) for group in groups for place in range(group.num_columns))
    size = sum(column.total_uncompressed_size for column in columns if column.path_in_schema in wanted)
    if size > MAX_MANIFEST_BYTES:
        raise _wrong(f"its keys and labels unpack to {size} bytes; at most {MAX_MANIFEST_BYTES} are taken")


def _values(column: Any) -> Iterator[Any]:
    """The values of a column, one after the other; those of a dictionary are made once each."""
    import pyarrow

    if not isinstance(column, pyarrow.DictionaryArray):
        return iter(column.to_pylist())
    known = column.dictionary.to_pylist()
    return (None if number is None else known[number] for number in column.indices.to_pylist())


def _columns(names: Sequence[str]) -> tuple[int, int | None]:
    key = next((names.index(name) for name in KEYS if name in names), None)
    if key is None:
        there = ", ".join(names[:20])[:200] or "nothing"
        raise _wrong(f"it has no column {', '.join(KEYS[:-1])} or {KEYS[-1]}, only {there}")
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
