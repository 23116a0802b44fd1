from typing import Any

import pytest

from atlas_client.errors import BadInputError
from atlas_client.views import selection_of


@pytest.mark.parametrize(
    ("options", "request_"),
    [
        ({"of_class": "wok", "by": "rank"}, {"kind": "class", "label": "wok", "by": "rank"}),
        ({"of_class": "3", "layer": "a", "side": 4}, {"kind": "class", "label": 3, "layer": "a", "side": 4}),
        ({"box": ".1,.2,.3,1"}, {"kind": "region", "box": [0.1, 0.2, 0.3, 1]}),
        ({"cell": ["3-4", "0-1"], "level": 1}, {"kind": "region", "z": 1,
                                               "cells": [{"column": 3, "row": 4}, {"column": 0, "row": 1}]}),
        ({"wrong": True}, {"kind": "errors"}),
        ({"polygon": "0,0,1,0,.5,1"}, {"kind": "region", "polygon": [(0, 0), (1, 0), (0.5, 1)]}),
        ({"of_class": "wok", "by": "rank", "box": "0,0,.5,1", "wrong": True, "label": "pan", "predicted": "2"},
         {"kind": "samples", "box": [0, 0, 0.5, 1], "speaks_for": "wok", "by": "rank", "wrong": True, "label": "pan",
          "predicted": 2}),
        ({"cell": ["3-4"], "right": True, "layer": "a"},
         {"kind": "samples", "cells": [{"column": 3, "row": 4}], "z": 0, "right": True, "layer": "a"}),
        ({"label": "pan"}, {"kind": "samples", "label": "pan"}),
        ({"wrong": True, "label": "pan", "recipe": "none"}, {"kind": "errors", "label": "pan", "recipe": "none"}),
    ],
)  # fmt: skip
def test_options_are_a_request(options: dict[str, Any], request_: dict[str, Any]) -> None:
    assert selection_of(options) == request_


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "say which samples"),
        ({"box": "0,0,1,1", "polygon": "0,0,1,0,1,1"}, "two parts of the map"),
        ({"polygon": "0,0,1,0"}, "three corners or more"),
        ({"polygon": "0,0,1,0,1,x"}, "--polygon takes"),
        ({"box": "0,0,1,1", "level": 1}, "--level goes with --cell"),
        ({"wrong": True, "by": "rank"}, "--by goes with --class"),
        ({"box": ".1,.2,.3"}, "--box takes 4 numbers"),
        ({"cell": ["x"]}, "column-row"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        selection_of(options)
