"""Tables: dictionaries of arrays as safetensors, the form in which chunks hand arrays on."""

from __future__ import annotations

import io
import json
import mmap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from atlas_core.errors import IntegrityError

Table = dict[str, NDArray[Any]]
Fields = Mapping[str, tuple[Any, tuple[int, ...]]]
"""Type and shape of each array of a table."""
LARGEST_HALF = 65504.0
"""What is stored as float16 is cut here: beyond it is infinity."""
TYPES: dict[str, Any] = {
    "U64": np.uint64, "I64": np.int64, "F64": np.float64, "F32": np.float32, "U32": np.uint32, "I32": np.int32,
    "F16": np.float16, "U16": np.uint16, "I16": np.int16, "I8": np.int8, "U8": np.uint8, "BOOL": np.bool_,
}  # fmt: skip
"""Names of safetensors, in the order in which `save` puts arrays: the most strictly aligned first."""
HEADER_ALIGNMENT = 8


def pack(table: Mapping[str, NDArray[Any]]) -> bytes:
    """Bytes of a table; equal tables give equal bytes."""
    return bytes(save({name: np.ascontiguousarray(array) for name, array in table.items()}))


def unpack(data: bytes) -> Table:
    """The table in these bytes.

    Raises:
        IntegrityError: They are no table.
    """
    try:
        return dict(load(data))
    except Exception as error:
        raise IntegrityError(f"a stored table cannot be read: {type(error).__name__}") from None


def allocate(fields: Fields) -> Table:
    """A table of zeros."""
    return {name: np.zeros(shape, dtype) for name, (dtype, shape) in fields.items()}


def allocate_file(path: Path, fields: Fields) -> Table:
    """A table of zeros in a new file, mapped into memory: what is filled in ends up there, as `pack` would have it."""
    names = {np.dtype(dtype): name for name, dtype in TYPES.items()}
    ranks = {name: rank for rank, name in enumerate(TYPES)}
    kinds = {name: names[np.dtype(dtype)] for name, (dtype, _) in fields.items()}
    described: dict[str, Any] = {}
    end = 0
    for name in sorted(fields, key=lambda name: (ranks[kinds[name]], name)):
        dtype, shape = fields[name]
        start, end = end, end + int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        described[name] = {"dtype": kinds[name], "shape": list(shape), "data_offsets": [start, end]}
    header = json.dumps(described, separators=(",", ":")).encode()
    header += b" " * (-len(header) % HEADER_ALIGNMENT)
    with path.open("w+b") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + end)
        file.flush()
        return _arrays(mmap.mmap(file.fileno(), 0))


def open_table(file: BinaryIO) -> Table:
    """The table in an open file, its arrays read-only.

    A real file is mapped into memory: only what is looked at is read, and processes share it. The file may be closed.

    Raises:
        IntegrityError: It holds no table.
    """
    try:
        handle = file.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return unpack(file.read())
    try:
        return _arrays(mmap.mmap(handle, 0, access=mmap.ACCESS_READ))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"a stored table cannot be read: {type(error).__name__}") from None


def _arrays(data: mmap.mmap) -> Table:
    first = 8 + int.from_bytes(data[:8], "little")
    table = {}
    for name, field in json.loads(data[8:first]).items():
        if name != "__metadata__":
            count = int(np.prod(field["shape"], dtype=np.int64))
            array = np.frombuffer(data, TYPES[field["dtype"]], count, first + field["data_offsets"][0])
            table[name] = array.reshape(field["shape"])
    return table


def size(table: Table) -> int:
    """Bytes that a table's arrays take."""
    return sum(array.nbytes for array in table.values())


def concatenate(tables: Sequence[Table]) -> Table:
    """Rows of several tables with the same columns, in order."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
