from typing import Any

import numba
import pytest

from atlas_core.compiled import compiled


def test_a_kernel_runs_where_numba_finds_no_folder_for_its_cache() -> None:
    names: dict[str, Any] = {}
    exec("def twice(x):\n    return 2 * x\n", names)  # a function without a file, for which numba has no folder
    with pytest.raises(RuntimeError, match="cannot cache"):
        numba.njit(cache=True)(names["twice"])
    assert compiled(names["twice"])(21) == 42


def test_fast_kernels_keep_infinities() -> None:
    def smaller(x: float, y: float) -> bool:
        return x < y

    assert compiled(smaller, fast=True)(1.0, float("inf"))
