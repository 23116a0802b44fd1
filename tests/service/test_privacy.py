"""A strict atlas: asked for by the command, made by the live service, read over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from atlas_client.cli import run
from tests.service.test_end_to_end import get

if TYPE_CHECKING:
    import pytest

    from tests.service.conftest import Live


def test_a_strict_atlas_has_icons_and_no_real_patches(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["submit", "--url", live.client.url, "--model", live.spec["model"], "--dataset", live.spec["dataset"],
                 "--layer", "features.4", "--samples", "400", "--levels", "3", "--privacy", "strict"]  # fmt: skip
    assert run([*arguments, "--recipe", "vivid"]) == 4
    assert "ask for `pure`" in capsys.readouterr().err

    assert run([*arguments, "--wait", "--json"]) == 0

    atlas = json.loads(capsys.readouterr().out)
    assert (atlas["state"], atlas["spec"]["privacy"], atlas["spec"]["recipe"]) == ("succeeded", "strict", "pure")
    assert atlas["manifest"]["seeded_from_data"] is False
    level = f"/v1/atlases/{atlas['id']}/layers/features.4/levels/0"
    cells = live.client.json("GET", f"{level}/cells")["items"]
    assert [cell["exemplars"] for cell in cells] == [[]] * len(cells)
    place = f"{level}/cells/{cells[0]['column']}-{cells[0]['row']}"
    assert get(live, f"{place}/icon").headers["content-type"] == "image/png"
    refused = get(live, f"{place}/exemplars/0")
    assert (refused.status_code, refused.headers["content-type"]) == (404, "application/problem+json")
    assert "privacy `strict` and keeps no exemplars" in refused.json()["detail"]
    samples = f"{level.removesuffix('/levels/0')}/samples"
    listed = live.client.json("GET", samples)["items"]
    assert {(type(one["image"]), one["crop"]) for one in listed} == {(int, None)}
    refused = get(live, f"{samples}/0/crop")
    assert refused.status_code == 404
    assert "privacy `strict` and keeps no crops" in refused.json()["detail"]
