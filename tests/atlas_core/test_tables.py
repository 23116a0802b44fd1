import numpy as np
import pytest

from atlas_core.errors import IntegrityError
from atlas_core.tables import concatenate, pack, unpack


def test_a_table_comes_back_with_its_types() -> None:
    table = {"a": np.arange(6, dtype=np.float16).reshape(2, 3), "b": np.array([True, False])}
    found = unpack(pack(table))
    assert {name: (array.dtype, array.tolist()) for name, array in found.items()} == {
        "a": (np.dtype(np.float16), [[0, 1, 2], [3, 4, 5]]),
        "b": (np.dtype(bool), [True, False]),
    }


def test_equal_tables_give_equal_bytes_in_any_order() -> None:
    one, two = np.arange(4), np.arange(8)[::2]
    assert pack({"a": one, "b": two}) == pack({"b": two.copy(), "a": one})


def test_bytes_that_are_no_table_are_noticed() -> None:
    with pytest.raises(IntegrityError):
        unpack(b"nonsense")


def test_tables_are_joined_row_after_row() -> None:
    joined = concatenate([{"a": np.array([1, 2])}, {"a": np.array([3])}])
    assert joined["a"].tolist() == [1, 2, 3]
