import io
from pathlib import Path

import numpy as np
import pytest

from atlas_core.errors import IntegrityError
from atlas_core.tables import allocate, allocate_file, concatenate, open_table, pack, size, unpack

FIELDS = {
    "z": (np.int64, (3,)), "a": (np.float16, (2, 3)), "b": (np.bool_, (1,)), "c": (np.float32, (1,)),
    "u": (np.uint8, (5,)), "d": (np.float64, (0, 2)), "s": (np.int16, (1,)), "i": (np.int32, (2,)),
}  # fmt: skip


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


def test_a_table_filled_in_its_file_has_the_bytes_of_a_packed_one(tmp_path: Path) -> None:
    path = tmp_path / "table"
    mapped, held = allocate_file(path, FIELDS), allocate(FIELDS)
    for name, array in held.items():
        array[...] = mapped[name][...] = np.arange(1, array.size + 1).reshape(array.shape)
    assert path.read_bytes() == pack(held)
    assert size(mapped) == size(held) == 3 * 8 + 6 * 2 + 1 + 4 + 5 + 2 + 8


def test_an_open_file_is_read_as_its_table_and_stays_when_closed(tmp_path: Path) -> None:
    table = {name: array + 1 if array.dtype != bool else ~array for name, array in allocate(FIELDS).items()}
    (tmp_path / "table").write_bytes(pack(table))
    with (tmp_path / "table").open("rb") as file:
        mapped = open_table(file)
    for found in (mapped, open_table(io.BytesIO(pack(table)))):
        assert {name: (array.dtype, array.tolist()) for name, array in found.items()} == {
            name: (array.dtype, array.tolist()) for name, array in table.items()
        }
    assert not mapped["a"].flags.writeable


@pytest.mark.parametrize("data", [b"nonsense", b"", b"\x02" + bytes(7) + b"[]", pack({"a": np.arange(9)})[:-1]])
def test_a_file_that_holds_no_table_is_noticed(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "table").write_bytes(data)
    with (tmp_path / "table").open("rb") as file, pytest.raises(IntegrityError):
        open_table(file)
