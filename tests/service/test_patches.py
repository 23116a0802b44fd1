"""The patch test through the service: asked for over HTTP and by the command, made by a real worker, looked at."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from atlas_client.cli import run
from atlas_client.errors import ConflictError, InvalidError, NotFoundError
from tests.service.conftest import CLASSES

if TYPE_CHECKING:
    from tests.service.conftest import Live


@pytest.fixture(scope="module")
def image(cards: Path) -> Path:
    return cards / "pictures" / "waves" / "02.png"


@pytest.fixture(scope="module")
def classes(live: Live, image: Path) -> tuple[str, str]:
    """What the untrained network takes everything for, which are the images that it recognises; and another class."""
    answer = live.client.project(live.atlas["id"], image)
    base = str(answer["classes"][0]["name"])
    return base, next(name for name in CLASSES if name != base)


@pytest.fixture(scope="module")
def made(live: Live, image: Path, classes: tuple[str, str]) -> dict[str, Any]:
    request = {"target": classes[1], "patches": {"kind": "images", "images": [image]}, "sizes": [0.5]}
    return live.client.made_patches(live.client.patches(live.atlas["id"], request))


def test_a_picture_is_pasted_and_what_flips_is_told(live: Live, made: dict[str, Any], classes: tuple[str, str]) -> None:
    found = made["description"]
    assert (made["kind"], made["state"], made["atlas"]) == ("patches", "succeeded", live.atlas["id"])
    assert made["digest"] == found["digest"]
    assert found["target"]["name"] == classes[1]
    assert found["held_out"] is False  # the atlas left no image out
    assert found["base_images"] >= 10
    (patch,) = found["patches"]
    assert patch["sizes"][0]["fixed"]["n"] == found["base_images"]
    assert patch["sizes"][0]["pixels"] == 32
    assert set(found["controls"]) <= {"crops", "noise"}
    assert (found["verdict"], made["summary"]["verdict"]) == ("inconclusive", "inconclusive")
    with Image.open(io.BytesIO(live.client.picture(patch["url"]))) as picture:
        assert picture.format == "PNG"
        assert picture.width == picture.height == 96  # a patch of 32 pixels, enlarged
    listed = live.client.all_patches(live.atlas["id"])
    assert [one["summary"]["verdict"] for one in listed if one["id"] == made["id"]] == ["inconclusive"]


def test_a_command_tests_icons_and_cells_and_draws_them(
    live: Live, classes: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = f"{live.level}/cells"
    cell = live.client.json("GET", path)["items"][0]
    base = ["patch", live.atlas["id"], "--url", live.service.url, "--target", classes[1], "--size", "0.4"]
    out = tmp_path / "flips.png"
    name = f"{cell['column']}-{cell['row']}"
    assert run([*base, "--cell", name, "--icons", "--images", "10", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Inconclusive images of other classes to {classes[1]!r}: ")
    assert "it would take 100 recognised base images or more; there are 10" in said
    assert "the base images are the atlas's own" in said
    with Image.open(out) as picture:
        assert picture.width > 600
    assert run([*base, "--base", classes[0], "--count", "1", "--images", "10", "--json", "--gate"]) == 3
    found = json.loads(capsys.readouterr().out)["description"]
    assert found["request"]["patches"]["kind"] == "search"
    assert found["base"]["name"] == classes[0]
    assert run([*base, "--cell", name, "--count", "2"]) == 4
    assert "one of them" in capsys.readouterr().err


def test_what_cannot_be_tested_is_refused(live: Live) -> None:
    atlas = live.atlas["id"]
    with pytest.raises(NotFoundError, match="no class 'none'"):
        live.client.patches(atlas, {"target": "none"})
    with pytest.raises(InvalidError, match="is not stored; upload it"):
        live.client.patches(atlas, {"target": "waves", "patches": {"kind": "images", "images": ["0" * 64]}})
    with pytest.raises(InvalidError, match="no dataset 'none'"):
        live.client.patches(atlas, {"target": "waves", "dataset": "none"})
    other = live.client.submit({**live.spec, "seed": 4321})["id"]
    with pytest.raises(ConflictError, match="once it has succeeded"):
        live.client.patches(other, {"target": "waves"})
    live.client.request("DELETE", f"/v1/atlases/{other}")
