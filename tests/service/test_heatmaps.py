"""Heat maps and confusions of a live atlas, as table, over HTTP, by the command."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from PIL import Image

from atlas_client.cli import run
from atlas_client.errors import InvalidError
from atlas_core import registry, tables
from atlas_core.store.store import open_store
from tests.service.conftest import CLASSES

if TYPE_CHECKING:
    from tests.service.conftest import Live

LAYER = "features.4"


def cells_of(live: Live, z: int) -> list[dict[str, Any]]:
    level = live.level.rpartition("/")[0]
    return list(live.client.items(f"{level}/{z}/cells"))


@pytest.mark.parametrize("z", [0, 1])
def test_any_class_has_a_value_in_every_cell_of_any_level(live: Live, z: int) -> None:
    cells = cells_of(live, z)
    for label, name in enumerate(CLASSES):  # three classes are all among a cell's strongest five
        heat = live.client.heatmap(live.atlas["id"], LAYER, z, name)
        assert heat["class"] == {"index": label, "name": name}
        assert (heat["z"], heat["side"], heat["measure"]) == (z, [3, 6][z], "attribution")
        told = [next(one["attribution"] for one in cell["classes"] if one["index"] == label) for cell in cells]
        np.testing.assert_allclose(heat["value"], told, rtol=2e-3, atol=1e-5)
        for field in ("column", "row", "count"):
            assert heat[field] == [cell[field] for cell in cells]
        many = [value for value, cell in zip(heat["value"], cells, strict=True) if cell["count"] >= heat["enough"]]
        assert (heat["least"], heat["greatest"]) == (min(many), max(many))
        assert heat["scale"] == max(map(abs, many))
        assert live.client.heatmap(live.atlas["id"], LAYER, z, label) == heat


def test_samples_of_every_cell_are_a_heat_map_too(live: Live) -> None:
    heat = live.client.heatmap(live.atlas["id"], LAYER, 0, measure="count")
    assert heat["class"] is None
    assert heat["value"] == heat["count"] == [cell["count"] for cell in cells_of(live, 0)]
    assert heat["scale"] == max(heat["count"])


def test_errors_of_every_cell_come_with_their_intervals(live: Live) -> None:
    heat = live.client.heatmap(live.atlas["id"], LAYER, 0, measure="error")
    for column, row, value, low, high, images in zip(
        *(heat[name] for name in ("column", "row", "value", "low", "high", "images")), strict=True
    ):
        samples = list(live.client.items(f"{live.level}/cells/{column}-{row}/samples"))
        right = {one["image"]: one["right"] for one in samples}
        assert images == len(right)
        assert value == pytest.approx(1 - sum(right.values()) / len(right), abs=1e-4)
        assert low <= value <= high
    sure = live.client.heatmap(live.atlas["id"], LAYER, 0, measure="confidence")
    assert all(1 / 3 <= value <= 1 for value in sure["value"])


def test_how_true_icons_are_and_how_alike_samples_are_come_from_the_cells(live: Live) -> None:
    cells = cells_of(live, 0)
    heats = {name: live.client.heatmap(live.atlas["id"], LAYER, 0, measure=name) for name in ("fidelity", "coherence")}
    told = [cell["icon"]["whitened_cosine"] for cell in cells]
    assert heats["fidelity"]["value"] == pytest.approx(told, abs=1e-4)
    assert heats["coherence"]["value"] == pytest.approx([cell["coherence"] for cell in cells], abs=1e-4)


def test_what_cells_add_to_their_strongest_class_is_a_heat_map(live: Live) -> None:
    heat = live.client.heatmap(live.atlas["id"], LAYER, 0, measure="strongest")
    told = [cell["classes"][0]["attribution"] for cell in cells_of(live, 0)]
    np.testing.assert_allclose(heat["value"], told, rtol=2e-3, atol=1e-5)


def test_a_channel_is_a_heat_map_of_its_mean_activation(live: Live) -> None:
    store = open_store(str(live.folder / "store"))
    plan = registry.plan_of(store, live.atlas["id"])
    record = store.get_record("cells", plan.cells_of(LAYER).key)
    assert record is not None
    mean = tables.unpack(store.get_blob(record["blobs"]["level-3"]))["mean"]
    for channel in (0, 100):
        heat = live.client.heatmap(live.atlas["id"], LAYER, 0, channel=channel)
        assert (heat["measure"], heat["channel"], heat["class"]) == ("activation", channel, None)
        np.testing.assert_allclose(heat["value"], mean[:, channel], rtol=1e-4)


def test_a_heat_map_is_kept_until_it_changes(live: Live) -> None:
    url = f"{live.service.url}{live.level}/heatmap?class=1"
    first = httpx.get(url)
    assert first.headers["cache-control"] == "no-cache"
    tag = first.headers["etag"]
    assert httpx.get(url, headers={"if-none-match": tag}).status_code == 304
    assert httpx.get(url.replace("class=1", "class=2")).headers["etag"] != tag
    assert "immutable" in httpx.get(f"{url}&v={tag.strip(chr(34))}").headers["cache-control"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"label": "none"}, "no class 'none'; give an index from 0 to 2, or a name such as dots"),
        ({"label": 3}, "no class '3'"),
        ({}, "a heat map is of a `class`, of a `channel`, or of a `measure`"),
        ({"measure": "attribution"}, "give one of them"),
        ({"measure": "activation"}, "give one of them"),
        ({"label": 1, "channel": 2}, "give one of them"),
        ({"channel": 128}, "has channels 0 to 127, no channel 128"),
        ({"label": 1, "measure": "count"}, "give one of them"),
    ],
)
def test_what_no_heat_map_can_show_is_refused(live: Live, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        live.client.heatmap(live.atlas["id"], LAYER, 0, **asked)


def test_the_command_draws_it_over_the_map(live: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, out = ["heatmap", live.atlas["id"], "--url", live.service.url], tmp_path / "heat.png"
    assert run([*base, "--class", "stripes", "--level", "1", "--out", str(out)]) == 0
    assert "stripes at features.4, 6 cells a side" in capsys.readouterr().out
    with Image.open(out) as picture:
        assert picture.width > 1000
        colours = picture.convert("RGB").getcolors(1 << 22)
    assert colours is not None
    assert len(colours) > 1000  # icons, not squares
    assert run([*base, "--class", "stripes", "--sign", "negative", "--out", str(out)]) == 0
    assert "most against it" in capsys.readouterr().out
    assert run([*base, "--measure", "error", "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["measure"] == "error"
    assert run([*base, "--out", str(out)]) == 4
    assert "--class or of a --measure" in capsys.readouterr().err


def test_confusions_are_those_of_the_images(live: Live) -> None:
    samples = list(live.client.items(f"/v1/atlases/{live.atlas['id']}/layers/{LAYER}/samples"))
    taken = Counter({one["image"]: (one["label"]["index"], one["predicted"]["index"]) for one in samples}.values())
    pairs = live.client.confusions(live.atlas["id"])
    assert len(pairs) == 3
    for pair in pairs:
        first, second = (one["index"] for one in pair["classes"])
        assert pair["confused"] == [taken[first, second], taken[second, first]]
        assert pair["images"] == 40
        assert pair["share"] == pytest.approx(sum(pair["confused"]) / 40)
        assert pair["interval"][0] <= pair["share"] <= pair["interval"][1]
        assert 0 < pair["probability"] < 1
    lows = [pair["interval"][0] for pair in pairs]
    assert lows == sorted(lows, reverse=True)
