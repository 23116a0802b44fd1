from __future__ import annotations

import pytest

from atlas_core.class_names import class_index, class_name, told_class
from atlas_core.errors import InputError

NAMES = ["cat", "7"]


def test_a_class_is_called_by_its_name_or_by_its_index_where_it_has_none() -> None:
    assert [class_name(index, NAMES) for index in range(3)] == ["cat", "7", "2"]
    assert told_class(2, NAMES) == {"index": 2, "name": "2"}


def test_a_class_is_asked_for_by_name_first_and_by_index_else() -> None:
    assert [class_index(asked, NAMES, 9, "/class") for asked in ("cat", "7", "8", 0)] == [0, 1, 8, 0]
    for asked in ("dog", "9", 9, -1, "1" * 5000):
        with pytest.raises(InputError, match=r"give an index from 0 to 8, or a name such as cat, 7") as caught:
            class_index(asked, NAMES, 9, "/class")
        assert caught.value.pointer == "/class"
