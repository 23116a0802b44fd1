"""The live service answers every operation as /openapi.json says, whatever it is asked; `make proof` asks longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from schemathesis import GenerationMode

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
    import time

    t = time.process_time()
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    asked, wrong = wrong_answers(live.service.url, known(live), 1, modes=modes)
    print("CPU", time.process_time() - t)
    assert asked >= 90
    assert not wrong, "\n".join(sorted(wrong))


@pytest.mark.proof
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_answer_is_other_than_described_for_long(live: Live, mode: GenerationMode) -> None:
    asked, wrong = wrong_answers(live.service.url, known(live), 100, seed=1, modes=(mode,))
    assert asked >= 90
    assert not wrong, "\n".join(sorted(wrong))
