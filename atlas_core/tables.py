"""Tables: dictionaries of arrays as safetensors, the form in which chunks hand arrays on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from atlas_core.errors import IntegrityError

Table = dict[str, NDArray[Any]]


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


def concatenate(tables: Sequence[Table]) -> Table:
    """Rows of several tables with the same columns, in order."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
