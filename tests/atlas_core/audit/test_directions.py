"""Directions survive being packed, and are recognised by their cosine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atlas_core.audit.directions import pack_direction, same_direction, unpack_direction
from atlas_core.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def packed(direction: NDArray[np.floating[Any]]) -> str:
    text = pack_direction(direction)
    assert text is not None
    return text


def test_a_direction_survives_packing() -> None:
    direction = np.random.default_rng(0).gamma(1.0, size=512).astype(np.float32)
    text = packed(direction)
    assert len(text) < 700
    unit = direction / np.linalg.norm(direction)
    assert float(unpack_direction(text) @ unit) > 0.999
    assert packed(40 * direction) == text


def test_where_nothing_is_active_there_is_no_direction() -> None:
    assert pack_direction(np.zeros(4, np.float32)) is None


def test_directions_are_one_above_a_cosine_of_nine_tenths() -> None:
    def at(cosine: float) -> str:
        return packed(np.array([cosine, np.sqrt(1 - cosine**2)]))

    assert same_direction(at(1.0), at(0.92))
    assert not same_direction(at(1.0), at(0.88))
    assert not same_direction(at(1.0), at(-1.0))
    assert not same_direction(at(1.0), packed(np.ones(3)))


@pytest.mark.parametrize("text", ["", "not base64!", "AAAA", "é"])
def test_what_is_no_direction_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="one signed byte a channel"):
        unpack_direction(text)
