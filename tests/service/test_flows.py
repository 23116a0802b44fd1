"""A cell followed over HTTP; between layers as between the levels of one, whose twins are its own samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from atlas_client.errors import InvalidError, NotFoundError

if TYPE_CHECKING:
    from tests.service.conftest import Live

LAYER, SIDE, FINER = "features.4", 3, 6


def flows(live: Live, place: str, **asked: Any) -> dict[str, Any]:
    found: dict[str, Any] = live.client.json("GET", f"{live.level}/cells/{place}/flow", params={"to": LAYER, **asked})
    return found


def test_a_cells_samples_are_found_in_the_cells_that_hold_them(live: Live) -> None:
    cell = max(live.client.items(f"{live.level}/cells"), key=lambda cell: cell["count"])
    place = f"{cell['column']}-{cell['row']}"
    own = flows(live, place)
    assert (own["samples"], own["followed"], own["side"]) == (cell["count"], cell["count"], SIDE)
    assert (own["column"], own["row"], own["share"]) == ([cell["column"]], [cell["row"]], [1.0])

    finer = flows(live, place, at=1, points=5)
    assert (finer["layer"], finer["z"], finer["side"]) == (LAYER, 1, FINER)
    assert sum(finer["count"]) == cell["count"]
    assert finer["count"] == sorted(finer["count"], reverse=True)
    assert {(column // 2, row // 2) for column, row in zip(finer["column"], finer["row"], strict=True)} == {
        (cell["column"], cell["row"])
    }
    samples = live.client.json("GET", f"{live.level}/cells/{place}/samples")["items"][:5]
    assert finer["points"] == [pytest.approx([one["x"], one["y"]], abs=1e-4) for one in samples]


def test_what_cannot_be_followed(live: Live) -> None:
    for place, asked, said in (("3-0", {}, "outside of a level of 3"), ("0-0", {"to": "none"}, "no layer 'none'"),
                               ("0-0", {"at": 5}, "no level 5")):  # fmt: skip
        with pytest.raises(NotFoundError, match=said):
            flows(live, place, **asked)
    with pytest.raises(InvalidError):
        live.client.json("GET", f"{live.level}/cells/0-0/flow")
