"""The live service answers every operation as /openapi.json says, whatever it is asked; `make proof` asks longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse

from tests.service.described import wrong_answers
from tests.service.serving import serving

if TYPE_CHECKING:
    from tests.service.conftest import Live


def test_what_is_wrong_is_found() -> None:
    app = FastAPI()

    @app.get("/breaks/{name}")
    def breaks(name: str) -> dict[str, str]:
        raise HTTPException(500 if name else 404)

    @app.get("/lies", response_model=list[int])
    def lies() -> JSONResponse:
        return JSONResponse({"not": "a list"})

    @app.get("/keeps")
    def keeps() -> list[int]:
        return [1]

    with serving(app) as url:
        asked, wrong = wrong_answers(url, {"name": "a"}, 1)
    assert asked == 3
    assert {line.partition(":")[0] for line in wrong} == {"GET /breaks/{name}", "GET /lies"}
    assert any("500" in line for line in wrong)


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
