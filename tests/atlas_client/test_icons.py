from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atlas_client.cli import run
from atlas_client.errors import BadInputError
from atlas_client.icons import request_of

if TYPE_CHECKING:
    from tests.atlas_client.conftest import Answers

IMAGE = Path("a.png")
CELL = {"column": 3, "row": 4}
CASES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"channel": [1, 2]}, {"kind": "channels", "channels": [1, 2]}),
    ({"of_class": ["cat", "7"]}, {"kind": "classes", "classes": ["cat", 7], "of": "cells"}),
    ({"of_class": ["cat"], "logit": True}, {"kind": "classes", "classes": ["cat"], "of": "logit"}),
    ({"of_class": ["cat"], "cells_of_class": True}, {"kind": "selection", "label": "cat"}),
    ({"sum": ["3-4=-0.5", "1-0"]},
     {"kind": "sum", "cells": [{**CELL, "weight": -0.5}, {"column": 1, "row": 0}]}),
    ({"path": ("3-4", "1-0"), "steps": 5, "along": "means"},
     {"kind": "path", "start": CELL, "end": {"column": 1, "row": 0}, "steps": 5, "along": "means"}),
    ({"cell": ["3-4"], "z": 1, "recipe": "pure", "layer": "l"},
     {"kind": "selection", "cells": [CELL], "z": 1, "recipe": "pure", "layer": "l"}),
    ({"box": "0,1,2,3"}, {"kind": "selection", "box": [0, 1, 2, 3]}),
    ({"grid": IMAGE, "sized": True}, {"kind": "grid", "image": IMAGE, "sized": True}),
    ({"dream": IMAGE}, {"kind": "dream", "image": IMAGE, "target": {"of": "layer"}}),
    ({"dream": IMAGE, "cell": ["3-4"], "mask": IMAGE, "rate": 0.2, "steps": 9},
     {"kind": "dream", "image": IMAGE, "target": {"of": "cell", **CELL}, "mask": IMAGE, "rate": 0.2, "steps": 9}),
    ({"dream": IMAGE, "channel": [5]}, {"kind": "dream", "image": IMAGE, "target": {"of": "channel", "channel": 5}}),
    ({"dream": IMAGE, "of_class": ["2"]}, {"kind": "dream", "image": IMAGE, "target": {"of": "class", "label": 2}}),
    ({"compose": ["3-4@0.2,0.5", "3-4@.8,0.5,0.1"], "ground": "3-4", "size": 128},
     {"kind": "composition", "cells": [{**CELL, "x": 0.2, "y": 0.5}, {**CELL, "x": 0.8, "y": 0.5, "radius": 0.1}],
      "ground": CELL, "size": 128}),
]  # fmt: skip


@pytest.mark.parametrize(("options", "request_"), CASES)
def test_options_say_what_is_asked_for(options: dict[str, Any], request_: dict[str, Any]) -> None:
    assert request_of(options) == request_


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "ask for one thing"),
        ({"channel": [1], "box": "0,0,1,1"}, "ask for one thing"),
        ({"cell": ["3"]}, "column-row"),
        ({"sum": ["3-4=much"]}, "column-row=weight"),
        ({"compose": ["3-4"]}, "column-row@x,y,radius"),
        ({"box": "1,2"}, "--box takes"),
        ({"dream": IMAGE, "channel": [1, 2]}, "one thing"),
        ({"dream": IMAGE, "box": "0,0,1,1"}, "a dream strengthens one thing"),
        ({"channel": [1], "steps": 4}, "--steps goes with --path or --dream"),
        ({"channel": [1], "cells_of_class": True}, "--cells goes with --class"),
        ({"box": "0,0,1,1", "size": 64}, "--size goes with --compose"),
        ({"of_class": ["a", "b"], "cells_of_class": True}, "one --class"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_form(options: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInputError, match=says):
        request_of(options)


JOB = {"id": "i", "kind": "icons", "state": "succeeded", "links": {"self": "/v1/atlases/a/icons/i"}}
PICTURE = {"n": 0, "channel": 12, "width": 4, "height": 4, "sha256": "00", "url": "/p",
           "fidelity": {"contrast": 0.2, "start_correlation": None, "marks": ["low_fidelity"]}}  # fmt: skip
MADE = {
    **JOB,
    "description": {
        "recipe": {"name": "pure", "version": 1}, "seeded_from_data": False, "pictures": [PICTURE],
        "sheet": {"url": "/v1/atlases/a/icons/i/sheet?v=00"},
    },
}  # fmt: skip


def _answering(server: Answers) -> None:
    server.add("POST /v1/atlases/a/icons", 202, body=JOB)
    server.add("GET /v1/jobs/i", body=JOB)
    server.add("GET /v1/atlases/a/icons/i", body=MADE)
    server.add("GET /v1/atlases/a/icons/i/sheet", body=b"the sheet")


def test_the_sheet_is_written_and_told(server: Answers, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _answering(server)
    out = tmp_path / "x.png"
    assert run(["icons", "a", "--channel", "12", "--level", "1", "--out", str(out), "--url", server.url]) == 0
    assert out.read_bytes() == b"the sheet"
    assert json.loads(server.requests[0][2]) == {"kind": "channels", "channels": [12], "z": 1}
    told = capsys.readouterr().out
    assert "1 picture  pure, no data in them  i" in told
    assert [line.split() for line in told.splitlines()[1:]] == [
        ["n", "channel", "contrast", "marks"], ["0", "12", "0.20", "low", "fidelity"]]  # fmt: skip


def test_an_image_is_uploaded_first(server: Answers, tmp_path: Path) -> None:
    _answering(server)
    (tmp_path / "cat.png").write_bytes(b"a cat")
    sha256 = hashlib.sha256(b"a cat").hexdigest()
    server.add(f"HEAD /v1/blobs/{sha256}", 200)
    arguments = ["icons", "a", "--grid", str(tmp_path / "cat.png"), "--out", str(tmp_path / "o.png"), "--json"]
    assert run([*arguments, "--url", server.url]) == 0
    body = next(json.loads(data) for method, _, data, _ in server.requests if method == "POST")
    assert body == {"kind": "grid", "image": sha256, "sized": False}
