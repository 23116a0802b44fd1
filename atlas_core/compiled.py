"""Compile a numerical kernel, with its machine code kept on disk where that is possible.

Kernels release the GIL and never use numba's own threads: a forked worker cannot share an OpenMP pool with its parent,
and `parallel=True` compiles several times longer. Who wants threads gives each a range of rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(function: Kernel, *, fast: bool = False, inside: bool = False) -> Kernel:
    """Compile a kernel on its first call, or load it from numba's cache.

    Args:
        function: A module-level function that numba understands.
        fast: Let the compiler reassociate floating-point sums. The result still is the same for the same machine code.

        inside: Compile it as a part of each kernel that calls it: to hand over arrays takes longer than a little work.

    Returns:
        The compiled function. In a read-only installation without a writable cache folder it is compiled anew in every
        process.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": {"reassoc", "contract", "nsz"} if fast else False}
    if inside:
        options["inline"] = "always"
    try:
        return cast("Kernel", numba.njit(cache=True, **options)(function))
    except RuntimeError:  # numba found no folder it may write to
        return cast("Kernel", numba.njit(**options)(function))
