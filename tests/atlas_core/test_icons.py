from typing import Any

import pytest
from pydantic import ValidationError

from atlas_core.icons import Channels, Dream, WholeLayer, icons_id, parse_request


def test_a_request_is_told_by_its_kind() -> None:
    request = parse_request({"kind": "channels", "channels": [3]})
    assert isinstance(request, Channels)
    assert (request.z, request.layer, request.recipe) == (0, None, None)


def test_a_dream_strengthens_the_layer_by_default() -> None:
    request = parse_request({"kind": "dream", "image": "0" * 64})
    assert isinstance(request, Dream)
    assert request.target == WholeLayer(of="layer")


def test_the_id_is_of_the_atlas_and_the_request() -> None:
    one, two = (parse_request({"kind": "channels", "channels": [n]}) for n in (1, 2))
    assert icons_id("a", one) == icons_id("a", parse_request(one.model_dump()))
    assert len({icons_id("a", one), icons_id("b", one), icons_id("a", two)}) == 3


@pytest.mark.parametrize(
    "value",
    [
        {"kind": "channels", "channels": []},
        {"kind": "channels", "channels": [-1]},
        {"kind": "channels", "channels": list(range(401))},
        {"kind": "channels", "channels": [1], "recipe": "none"},
        {"kind": "channels", "channels": [1], "colour": "red"},
        {"kind": "path", "start": {"column": 0, "row": 0}, "end": {"column": 1, "row": 1}, "steps": 1},
        {"kind": "selection"},
        {"kind": "selection", "box": [0, 0, 1, 1], "label": 3},
        {"kind": "grid", "image": "not a digest"},
        {"kind": "dream", "image": "0" * 64, "recipe": "vivid"},
        {"kind": "dream", "image": "0" * 64, "target": {"of": "channel"}},
        {"kind": "composition", "cells": [{"column": 0, "row": 0, "x": 1.2, "y": 0}]},
        {"kind": "nothing"},
    ],
)
def test_what_makes_no_sense_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parse_request(value)
