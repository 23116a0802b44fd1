"""The demo's tour, made of another map: its captions say what is on it, and its places are those they speak of."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from service.demo.tour import tour_of

if TYPE_CHECKING:
    from tests.service.viewer.conftest import Served


def test_its_captions_hold_on_the_map_that_it_is_made_of(served: Served) -> None:
    atlas, layer = served.atlas["id"], served.layers[-1]
    named = list(served.client.items(f"/v1/atlases/{atlas}/layers/{layer}/names"))
    doubted = named[0]["name"]
    stops = tour_of(served.client, atlas, "waves", doubted)
    assert len(stops) == 5
    views = [{name: values[0] for name, values in parse_qs(stop["view"]).items()} for stop in stops]
    assert [view["layer"] for view in views] == [layer, layer, layer, served.layers[0], layer]
    cells = list(served.client.items(f"/v1/atlases/{atlas}/layers/{layer}/levels/1/cells"))
    assert f"{len(cells)} icons" in stops[0]["caption"]
    heat = served.client.heatmap(atlas, layer, 1, "waves")
    best = max((value, n) for n, value in enumerate(heat["value"]) if heat["count"][n] >= heat["enough"])
    assert f"{best[0]:+.3f}" in stops[1]["caption"]
    assert views[1]["cell"] == f"{heat['column'][best[1]]}-{heat['row'][best[1]]}-6"
    assert f"{named[0]['share']:.0%}" in stops[2]["caption"] or len(named) > 1
    assert views[2]["heat"] == f"class-{named[0]['classes'][0]}"
    full = [cell for cell in cells if cell["count"] >= heat["enough"]]
    least = min(full, key=lambda cell: cell["icon"]["whitened_cosine"])
    assert views[4]["cell"] == f"{least['column']}-{least['row']}-6"
    assert f"fidelity of {least['icon']['whitened_cosine']:.2f} is the lowest" in stops[4]["caption"]
