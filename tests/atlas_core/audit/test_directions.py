"""Directions survive being packed, and are recognised by their cosine."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_core.audit.directions import pack_direction, same_direction, unpack_direction
from atlas_core.errors import InputError


def test_a_direction_survives_packing() -> None:
    direction = np.random.default_rng(0).gamma(1.0, size=512).astype(np.float32)
    packed = pack_direction(direction)
    assert len(packed) < 700
    unit = direction / np.linalg.norm(direction)
    assert float(unpack_direction(packed) @ unit) > 0.999
    assert pack_direction(40 * direction) == packed


def test_directions_are_one_above_a_cosine_of_nine_tenths() -> None:
    def at(cosine: float) -> str:
        return pack_direction(np.array([cosine, np.sqrt(1 - cosine**2)]))

    assert same_direction(at(1.0), at(0.92))
    assert not same_direction(at(1.0), at(0.88))
    assert not same_direction(at(1.0), at(-1.0))
    assert not same_direction(at(1.0), pack_direction(np.ones(3)))


@pytest.mark.parametrize("text", ["", "not base64!", "AAAA", "é"])
def test_what_is_no_direction_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="one signed byte a channel"):
        unpack_direction(text)
