"""The rows of a Parquet manifest, read in a process of its own: `python -m atlas_core.datasets.parquet_rows`.

Of some broken files pyarrow ends the whole process, and of some hostile ones it takes more memory than there is.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from atlas_core.datasets.manifests import MAX_MANIFEST_BYTES, Unusable, columns_of
from atlas_core.datasets.sources import MAX_ENTRIES

MEMORY = 6 << 30
ROWS_AT_ONCE = 50_000


def rows(data: bytes) -> Iterator[tuple[Any, ...]]:
    """Key and label of each row, the key alone where there is no column of labels.

    Raises:
        Unusable: It is no Parquet, lacks the column of keys, or a column is of another type.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        schema = parquet.read_schema(pyarrow.BufferReader(data))
        key, label = columns_of([name.lower() for name in schema.names])
        _check_type(schema.field(key), text=True)
        if label is not None:
            _check_type(schema.field(label), text=False)
        wanted = [schema.names[place] for place in (key, label) if place is not None]
        # Texts stay numbers of a dictionary, so that few bytes cannot become many.
        table = parquet.ParquetFile(pyarrow.BufferReader(data), read_dictionary=wanted)
        _check_size(table.metadata, wanted)
        for batch in table.iter_batches(ROWS_AT_ONCE, columns=wanted):
            yield from zip(*(_values(batch.column(name)) for name in wanted), strict=True)
    except (pyarrow.ArrowException, OSError, KeyError, ValueError) as error:
        raise Unusable(f"no Parquet that can be read: {str(error).partition(chr(10))[0][:200]}") from None


def _check_type(field: Any, *, text: bool) -> None:
    from pyarrow import types

    held = field.type.value_type if types.is_dictionary(field.type) else field.type
    texts = types.is_string(held) or types.is_large_string(held) or types.is_string_view(held)
    if texts or (not text and (types.is_integer(held) or types.is_null(held))):
        return
    taken = "text is taken" if text else "text or whole numbers are taken"
    raise Unusable(f"its column {field.name!r} holds {str(field.type)[:80]}; {taken}")


def _check_size(metadata: Any, wanted: Sequence[str]) -> None:
    if metadata.num_rows > MAX_ENTRIES:
        raise Unusable(f"it has more than {MAX_ENTRIES} rows")
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    columns = (group.column(place) for group in groups for place in range(group.num_columns))
    size = sum(column.total_uncompressed_size for column in columns if column.path_in_schema in wanted)
    if size > MAX_MANIFEST_BYTES:
        raise Unusable(f"its keys and labels unpack to {size} bytes; at most {MAX_MANIFEST_BYTES} are taken")


def _values(column: Any) -> Iterator[Any]:
    """The values of a column, one after the other; those of a dictionary are made once each."""
    import pyarrow

    if not isinstance(column, pyarrow.DictionaryArray):
        return iter(column.to_pylist())
    known = column.dictionary.to_pylist()
    return (None if number is None else known[number] for number in column.indices.to_pylist())


def main() -> None:
    """From the standard input a manifest, to the standard output a JSON array a row, or an object that says why not."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        for row in rows(sys.stdin.buffer.read()):
            sys.stdout.write(json.dumps(row) + "\n")
    except Unusable as error:
        sys.stdout.write(json.dumps({"unusable": str(error)}) + "\n")


if __name__ == "__main__":
    main()
