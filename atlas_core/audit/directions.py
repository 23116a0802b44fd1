"""A finding's direction: what it is recognised by in another audit, small enough for a line of a policy."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAME = 0.9
"""Cosine above which two directions are one: method.md, section 9."""
STEPS = 127


def pack_direction(direction: NDArray[np.floating[Any]]) -> str | None:
    """A direction as base64 of one signed byte a channel; None of one without length, where nothing is active.

    Args:
        direction: Of any length, shape (channels,).
    """
    largest = np.abs(direction).max(initial=0)
    if not largest:
        return None
    return base64.b64encode(np.rint(direction / largest * STEPS).astype(np.int8).tobytes()).decode()


def unpack_direction(text: str) -> NDArray[np.float64]:
    """The direction that was packed, of length 1, shape (channels,).

    Raises:
        InputError: It is none.
    """
    try:
        values = np.frombuffer(base64.b64decode(text, validate=True), np.int8).astype(np.float64)
    except (binascii.Error, ValueError):
        values = np.zeros(0)
    length = np.linalg.norm(values)
    if not length:
        raise InputError("a direction is base64 of one signed byte a channel, as reports give it")
    return np.asarray(values / length)


def same_direction(first: str, second: str) -> bool:
    """Whether two packed directions of a layer are one; of layers of other widths they are not."""
    a, b = unpack_direction(first), unpack_direction(second)
    return len(a) == len(b) and float(a @ b) > SAME
