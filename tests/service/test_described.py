"""The live service answers every operation as /openapi.json says, whatever it is asked; `make proof` asks longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.service.described import wrong_answers

if TYPE_CHECKING:
    from tests.service.conftest import Live


def known(live: Live) -> dict[str, str]:
    """Path parameters that name something."""
    return {
        "atlas": live.atlas["id"], "job": live.atlas["id"],
        "model": live.spec["model"], "dataset": live.spec["dataset"],
        "layer": "features.4", "z": "0", "x": "0", "y": "0", "column": "0", "row": "0", "n": "0",
    }  # fmt: skip


def test_no_answer_is_other_than_described(live: Live) -> None:
    asked, wrong = wrong_answers(live.service.url, known(live), 1, in_turn=True)
    assert asked >= 90
    assert not wrong, "\n".join(sorted(wrong))


@pytest.mark.proof
def test_no_answer_is_other_than_described_for_long(live: Live) -> None:
    asked, wrong = wrong_answers(live.service.url, known(live), 10, seed=1)
    assert asked >= 90
    assert not wrong, "\n".join(sorted(wrong))
