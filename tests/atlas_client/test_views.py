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
        ({"wrong": True, "label": "pan", "recipe": "none"}, {"kind": "errors", "label": "pan", "recipe": "none"}),
    ],
)  # fmt: skip
def test_options_are_a_request(options: dict[str, Any], request_: dict[str, Any]) -> None:
    assert selection_of(options) == request_


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "ask for one thing"),
        ({"of_class": "wok", "wrong": True}, "ask for one thing"),
        ({"wrong": True, "by": "rank"}, "--by goes with --class"),
        ({"of_class": "wok", "label": "pan"}, "--label goes with --wrong"),
        ({"box": ".1,.2,.3"}, "--box takes 4 numbers"),
        ({"cell": ["x"]}, "column-row"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        selection_of(options)
