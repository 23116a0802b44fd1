from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image

from atlas_client.client import Client
from atlas_client.errors import BadInputError
from atlas_client.samples import CAPTION, CROP_SIDE, MARGIN, WRONG, Question, caption, contact_sheet, samples
from atlas_client.search import question_of

if TYPE_CHECKING:
    from tests.atlas_client.conftest import Answers

CAT, DOG = {"index": 0, "name": "cat, tabby"}, {"index": 1, "name": "dog"}
SAMPLE: dict[str, Any] = {"sample": 4, "image": "a.png", "label": CAT, "predicted": CAT, "right": True}


def asked(server: Answers) -> list[tuple[str, str, dict[str, list[str]]]]:
    parts = [(method, urlsplit(path)) for method, path, _, _ in server.requests]
    return [(method, part.path, parse_qs(part.query)) for method, part in parts]


@pytest.mark.parametrize(
    ("question", "path", "query"),
    [
        (Question(), "/samples", {}),
        (Question(cell=(3, 4), level=1, wrong=True), "/levels/1/cells/3-4/samples", {"wrong": ["true"]}),
        (Question(box=(0, 0.25, 0.5, 1)), "/samples", {"bbox": ["0.0,0.25,0.5,1.0"]}),
        (Question(polygon=[(0, 0), (1, 0), (0.5, 1)], right=True), "/samples",
         {"polygon": ["0.0,0.0,1.0,0.0,0.5,1.0"], "right": ["true"]}),
        (Question(speaks_for="dog", by="rank"), "/samples", {"speaks_for": ["dog"], "by": ["rank"]}),
        (Question(near=(0.1, 0.9), label="cat", predicted=7), "/samples",
         {"near": ["0.1,0.9"], "label": ["cat"], "predicted": ["7"]}),
    ],
)  # fmt: skip
def test_what_is_asked_for(server: Answers, question: Question, path: str, query: dict[str, list[str]]) -> None:
    base = "/v1/atlases/a/layers/l%2F2"
    server.add(f"GET {base}{path}", body={"items": [SAMPLE], "next_page_token": None})
    with Client(server.url) as client:
        assert list(samples(client, "a", "l/2", question)) == [SAMPLE]
    assert asked(server) == [("GET", base + path, {**query, "page_size": ["500"]})]


def test_pages_are_asked_for_as_they_are_looked_at_and_no_more_than_wanted(server: Answers) -> None:
    path = "GET /v1/atlases/a/layers/l/samples"
    server.add(path, body={"items": [SAMPLE] * 500, "next_page_token": "500"})
    server.add(path, body={"items": [SAMPLE] * 20, "next_page_token": "520"})
    with Client(server.url) as client:
        found = samples(client, "a", "l", Question(), 520)
        next(found)
        assert len(server.requests) == 1
        assert 1 + len(list(found)) == 520
    queries = [query for _, _, query in asked(server)]
    assert queries == [{"page_size": ["500"]}, {"page_size": ["20"], "page_token": ["500"]}]


def test_an_image_is_sent_with_every_page(server: Answers) -> None:
    path = "POST /v1/atlases/a/layers/l/samples"
    server.add(path, body={"items": [SAMPLE], "next_page_token": "1"})
    server.add(path, body={"items": [SAMPLE], "next_page_token": None})
    image = b"\x89PNG\r\n\x1a\n..."
    with Client(server.url) as client:
        assert len(list(samples(client, "a", "l", Question(image=image, position=(2, 5))))) == 2
    assert [(body, headers["content-type"]) for _, _, body, headers in server.requests] == [(image, "image/png")] * 2
    assert asked(server)[1][2] == {"row": ["2"], "column": ["5"], "page_size": ["500"], "page_token": ["1"]}


def test_one_place_at_a_time() -> None:
    with pytest.raises(BadInputError, match="not by cell and near"):
        Question(cell=(1, 1), near=(0, 0))
    with pytest.raises(BadInputError, match="name the image"):
        Question(position=(1, 1))


def test_options_say_what_is_asked_for() -> None:
    nothing = {"cell": None, "level": 0, "box": None, "near": None, "image": None, "at": None, "label": None,
               "predicted": None, "wrong": False}  # fmt: skip

    def of(**options: Any) -> Question:
        return question_of(**{**nothing, **options})

    assert of(cell="3-4", level=2, wrong=True) == Question(cell=(3, 4), level=2, wrong=True)
    assert of(box=".2,0,1,.5", label="cat") == Question(box=[0.2, 0, 1, 0.5], label="cat")
    assert of(polygon="0,0,1,0,.5,1", right=True, speaks_for="cat", by="rank") == Question(
        polygon=[(0, 0), (1, 0), (0.5, 1)], right=True, speaks_for="cat", by="rank"
    )
    assert of(image="a.png", at="4,7").position == (4, 7)
    for options, said in (
        ({"cell": "3"}, "column-row"),
        ({"box": "1,2"}, "--box takes 4 numbers"),
        ({"polygon": "0,0,1,0,.5"}, "--polygon takes x,y"),
        ({"box": "0,0,1,1", "polygon": "0,0,1,0,1,1"}, "not by box and polygon"),
        ({"by": "rank"}, "--by goes with"),
        ({"near": "1,-2"}, "--near takes 2"),
        ({"image": "a", "at": "4"}, "--at takes row"),
    ):
        with pytest.raises(BadInputError, match=said):
            of(**options)


def test_a_sheet_shows_every_crop_and_frames_what_is_wrong() -> None:
    assert caption(SAMPLE) == "cat"
    wrong = {**SAMPLE, "predicted": DOG, "right": False}
    assert caption(wrong) == "cat > dog"
    assert caption({**SAMPLE, "label": None, "right": None, "predicted": DOG}) == "dog"
    colours = [(12 * place, 200, 90) for place in range(12)]
    long = {**SAMPLE, "label": {"index": 2, "name": "a name that is wider than any crop"}}
    found = [wrong if place == 11 else long if place == 3 else SAMPLE for place in range(12)]
    sheet = contact_sheet([Image.new("RGB", (20, 20), colour) for colour in colours], found)
    step, down = CROP_SIDE + MARGIN, CROP_SIDE + CAPTION + MARGIN
    assert sheet.size == (10 * step + MARGIN, 2 * down + MARGIN)
    for place, colour in enumerate(colours):
        left, top = place % 10 * step + MARGIN, place // 10 * down + MARGIN
        assert sheet.getpixel((left + 48, top + 48)) == colour
        assert (sheet.getpixel((left - 1, top + 40)) == WRONG) == (place == 11)
        below = np.asarray(sheet)[top + CROP_SIDE + 2 : top + CROP_SIDE + CAPTION, left : left + CROP_SIDE]
        assert below.min() < 120  # written on
        beside = np.asarray(sheet)[top + CROP_SIDE + 2 : top + CROP_SIDE + CAPTION, left + CROP_SIDE + 1 : left + step]
        assert beside.min() == 255
