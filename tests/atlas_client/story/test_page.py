"""A story told from a folder, and from a service that knows everything about the hand-made atlas."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from PIL import Image

from atlas_client.atlas import Atlas
from atlas_client.cli import run
from atlas_client.errors import BadInputError
from atlas_client.story.page import story_html
from atlas_client.story.reading import Reader
from atlas_core.reports.told import told
from tests.audits import audit, pictures
from tests.corners import CLASSES, LAYERS, SIDES, level_cells, level_poster, level_tiles, manifest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.atlas_client.conftest import Answers

HOSTILE = "<script>alert(1)</script>"


class Page(HTMLParser):
    """Headings, text, pictures and links of a page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page.decode())
        self.words = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def sections(self) -> list[str | None]:
        return [attributes["id"] for tag, attributes in self.tags if tag == "section"]

    def check_needs_nothing(self) -> None:
        assert not [tag for tag, _ in self.tags if tag in ("script", "link", "iframe")]
        for _, attributes in self.tags:
            assert (attributes.get("src") or "data:").startswith("data:")
            assert (attributes.get("href") or "#").startswith("#")


def test_a_folder_tells_what_it_knows_and_says_what_it_does_not(corners: Path) -> None:
    with Atlas.open(corners) as atlas:
        page = story_html(Reader(atlas))
        assert story_html(Reader(atlas)) == page
    found = Page(page)
    found.check_needs_nothing()
    assert found.sections() == ["cell", "made", "layers", "doubts", "reading"]
    assert "50 pictures of corner-world" in found.words
    assert "the mean is 0.50; 1 of 4 icons are under a gate" in found.words
    for heading in ("Regions and their names", "One class", "Two classes", "Places somebody saved"):
        assert f"{heading} : that takes the service" in found.words.replace(f"{heading}:", f"{heading} :")
    assert "no audit was named" in found.words


def heat(side: int) -> dict[str, Any]:
    """The answer to whatever heat map is asked for."""
    cells = level_cells(side)
    return {
        "layer": LAYERS[-1], "z": SIDES.index(side), "side": side, "measure": "attribution",
        "class": {"index": 0, "name": CLASSES[0]}, "scale": 0.8, "least": -0.2, "greatest": 0.8, "enough": 10,
        **{name: [cell[name] for cell in cells] for name in ("column", "row", "count", "images")},
        "value": [0.8, -0.2, 0.1, None], "low": [0.5, 0.0, 0.05, None], "high": [0.9, 0.1, 0.2, None],
    }  # fmt: skip


@pytest.fixture
def service(server: Answers) -> Answers:
    """A service with the hand-made atlas, whose model took the name of a script, and with an audit of its model."""
    document = manifest()
    document["names"]["model"] = HOSTILE
    base = "/v1/atlases/c0ffee"
    server.add(f"GET {base}", body={"id": "c0ffee", "state": "succeeded", "manifest": document})
    layer = f"{base}/layers/{quote(LAYERS[-1], safe='')}"
    for z, side in enumerate(SIDES):
        for each in (quote(name, safe="") for name in LAYERS):
            level = f"{base}/layers/{each}/levels/{z}"
            server.add(f"GET {level}/cells", body={"items": level_cells(side), "next_page_token": None})
            server.add(f"GET {level}/poster", body=level_poster(side))
            for (x, y), tile in level_tiles(side).items():
                server.add(f"GET {level}/tiles/{x}/{y}", body=tile)
            for cell in level_cells(side):
                patch = io.BytesIO()
                Image.new("RGB", (8, 8), "teal").save(patch, "PNG")
                server.add(f"GET {level}/cells/{cell['column']}-{cell['row']}/exemplars/0", body=patch.getvalue())
        server.add(f"GET {layer}/levels/{z}/heatmap", body=heat(side))
    named = {"rank": "country", "width": 0.25, "name": "heron", "classes": [0], "x": 0.05, "y": 0.9, "samples": 10,
             "images": 5, "share": 0.75, "bits": 1.0}  # fmt: skip
    server.add(f"GET {layer}/names", body={"items": [named], "next_page_token": None})
    classes = [{"index": index, "name": name} for index, name in enumerate(CLASSES[:2])]
    pair = {"classes": classes, "images": 40, "confused": [3, 1], "share": 0.1, "interval": [0.04, 0.23]}
    pair["probability"] = 0.2
    server.add(f"GET {base}/confusions", body={"items": [pair], "next_page_token": None})
    stop = {"caption": "Here <b>herons</b> stand", "view": "layer=stage%2F2&at=0.1,0.9,4&heat=class-0"}
    server.add(f"GET {base}/tour", body={"version": 1, "title": "A walk", "stops": [stop], "saved": None})
    found = audit()
    model = {**found.model.model_dump(), "id": "m1"}
    document = {**found.model_dump(mode="json"), "model": model}
    server.add("GET /v1/audits/a1", body={"id": found.id, "state": "succeeded", "description": document})
    for asked in (found.id, "a1"):
        server.add(f"GET /v1/audits/{asked}/told", body=told(found).model_dump(mode="json"))
        for name, picture in pictures().items():
            server.add(f"GET /v1/audits/{asked}/evidence/{name}", body=picture)
    return server


def test_a_service_tells_all_of_it(service: Answers) -> None:
    with Atlas.open("c0ffee", url=service.url) as atlas:
        page = story_html(Reader(atlas, "a1"))
    found = Page(page)
    found.check_needs_nothing()
    assert found.sections() == [
        "cell",
        "made",
        "regions",
        "layers",
        "class",
        "pair",
        "doubts",
        "audit",
        "tour",
        "reading",
    ]
    assert "Left out" not in found.words
    assert f"What {HOSTILE} has learned" in found.words
    assert HOSTILE.encode() not in page
    assert "heron: 10 samples of 5 pictures, 75 % of what is said here, 2.0 times as often as everywhere" in found.words
    assert "Of all classes, teapot is the one that most cells speak for first: 4 of 4" in found.words
    assert (
        "Of 40 pictures of heron or tractor, the network took 4 for the other: 10 %, between 4.0 % and 23 %"
        in found.words
    )
    assert told(audit()).title in found.words
    shown = [one.title for one in told(audit()).findings[:4]]
    assert all(re.sub(r"\s+", " ", title) in found.words for title in shown)
    assert "Here <b>herons</b> stand" in found.words
    labels = [attributes["style"] for tag, attributes in found.tags if tag == "span" and "style" in attributes]
    assert "left:5.0%;top:10.0%" in labels


def test_the_numbers_of_a_class_are_those_of_its_heat_map(service: Answers) -> None:
    with Atlas.open("c0ffee", url=service.url) as atlas:
        found = Page(story_html(Reader(atlas)))
    assert "From −0.20 to +0.80 logits, among cells with 10 samples or more" in found.words
    assert "+0.80 column 0, row 0" in found.words


def test_the_audit_must_be_there_and_of_the_same_model(service: Answers) -> None:
    service.add(
        "GET /v1/audits/other", body={"id": "o", "description": audit().model_dump(mode="json"), "state": "succeeded"}
    )
    service.add("GET /v1/audits/young", body={"id": "y", "description": None, "state": "running"})
    with Atlas.open("c0ffee", url=service.url) as atlas:
        for name, said in (("other", "another model than the atlas's"), ("young", "is running"), ("none", "no GET")):
            with pytest.raises(BadInputError, match=said):
                story_html(Reader(atlas, name))


def test_the_command_writes_a_page(service: Answers, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "story.html"
    assert run(["story", "c0ffee", "--audit", "a1", "--out", str(out), "--url", service.url]) == 0
    assert str(out) in capsys.readouterr().out
    assert out.read_bytes().startswith(b"<!doctype html>")
    assert run(["story", "nothing", "--out", str(out), "--url", service.url]) == 4
