"""An offline copy of the hand-made atlas's folder: its own files again, and the viewer's answers as scripts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from atlas_client.atlas import Atlas
from atlas_client.cli import run
from atlas_client.errors import BadInputError
from atlas_client.export import folder
from atlas_client.export.answers import address_of, answers_of, leading_classes
from tests.corners import LAYERS, SIDES, level_cells, manifest

if TYPE_CHECKING:
    from pathlib import Path

PAGE = b"<!doctype html>the viewer"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The viewer need not be built for these tests."""
    monkeypatch.setattr(folder, "page_of", lambda _: PAGE)


def said_in(copy: Path) -> dict[str, Any]:
    """The answers of a copy by their addresses, read as its page reads them."""
    index = re.fullmatch(r"window\.atlasCopy = (.*);\n", (copy / "data" / "index.js").read_text(), re.DOTALL)
    assert index
    answers = {}
    for address, number in json.loads(index[1])["answers"].items():
        script = (copy / "data" / f"{number}.js").read_text()
        found = re.fullmatch(rf"window\.atlasCopy\.keep\({number}, (.*)\);\n", script, re.DOTALL)
        assert found
        answers[address] = json.loads(found[1])
    return answers


@pytest.mark.usefixtures("page")
def test_a_copy_is_an_atlas_folder_and_a_page(corners: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with Atlas.open(corners) as atlas:
        folder.export(atlas, copy)
    assert (copy / "index.html").read_bytes() == PAGE
    for file in (path.relative_to(corners) for path in corners.rglob("*") if path.suffix in (".webp", ".png")):
        empty = file.suffix == ".webp" and not (copy / file).exists()  # the hand-made one has a tile without cells
        assert empty or (copy / file).read_bytes() == (corners / file).read_bytes()
    with Atlas.open(copy) as again:
        assert again.manifest == manifest()
        assert again.raw_cells(LAYERS[1], 12) == level_cells(12)
        assert again.icon(LAYERS[1], 12, 11, 11).size == (16, 16)


@pytest.mark.usefixtures("page")
def test_it_answers_what_the_viewer_asks(corners: Path, tmp_path: Path) -> None:
    with Atlas.open(corners) as atlas:
        folder.export(atlas, tmp_path / "copy")
        kept = answers_of(atlas, 12, 0)
    answers = said_in(tmp_path / "copy")
    assert answers == json.loads(json.dumps(kept))
    job = answers["v1/atlases/c0ffee"]
    assert (job["state"], job["manifest"]) == ("succeeded", manifest())
    level = "v1/atlases/c0ffee/layers/stage%2F2/levels/1"
    assert [cell["count"] for cell in answers[f"{level}/cells"]["items"]] == [10, 20, 30, 40]
    heat = answers[f"{level}/heatmap?measure=count"]
    assert (heat["column"], heat["row"], heat["value"]) == ([0, 11, 0, 11], [0, 0, 11, 11], [10, 20, 30, 40])
    assert len(answers) == 2 + 2 * len(LAYERS) * len(SIDES)


def test_addresses_are_those_of_the_viewer() -> None:
    assert address_of("atlases", "a", "layers", "b/c d", "levels", 0) == "v1/atlases/a/layers/b%2Fc%20d/levels/0"
    assert address_of("atlases", "a", z=1, b="x y") == "v1/atlases/a?b=x+y&z=1"


def test_the_classes_that_most_cells_speak_for_come_first(corners: Path) -> None:
    with Atlas.open(corners) as atlas:
        assert leading_classes(atlas, 5) == [2]
        assert leading_classes(atlas, 0) == []


@pytest.mark.usefixtures("page")
def test_nothing_is_overwritten(corners: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with Atlas.open(corners) as atlas, pytest.raises(BadInputError, match="not empty"):
        folder.export(atlas, tmp_path)
    assert run(["export", str(corners), "--out", str(tmp_path / "new")]) == 0
    assert "index.html" in capsys.readouterr().out
