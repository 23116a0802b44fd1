"""An audit's document as a real one of the demo's world looks, written by hand, and pictures for it.

It has every kind of finding, check and verdict, and users' text that would break a report which does not escape it.
"""

from __future__ import annotations

import io
import json
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from atlas_core.audit.findings import Audit
from atlas_core.keys import digest
from service.demo.world import draw_picture, paste_noodles

HOSTILE = "<script>alert(1)</script> & `x` | *y* ]]>"
POLICY = """\
# What must hold before pan-vision is released.
[audit]
checks = ["shortcuts", "properties", "regions", "versions", "drift"]
layers = ["features.4", "features.7"]
coverage = 0.8

[shortcuts]
margin = 0.2            # points over the control

[regions]
error = 0.25
min_images = 50

[versions]
accuracy = 0.02

[[accepted]]
check = "shortcuts"
class = "mask"
layer = "features.4"
direction = "fwD/AQ=="
reason = "The rim is what makes it a mask."
expires = 2030-01-31
"""


def _shortcut() -> dict[str, Any]:
    pairs = [("fish", 1), ("window", 2), ("wheel", 3)]
    return {
        "id": "shortcuts-3f9c2a71d0e4",
        "check": "shortcuts",
        "gate": True,
        "layer": "features.7",
        "side": 20,
        "title": "A piece that looks like noodles turns 75 % of other pictures into “wok”",
        "cell": {"column": 3, "row": 17},
        "target": {"index": 11, "name": "wok"},
        "statistics": {
            "flips": 0.747,
            "flips_interval": [0.695, 0.793],
            "control": 0.053,
            "control_interval": [0.033, 0.085],
            "lowest_exemplar_rate": 0.44,
            "purity": 0.31,
            "q": 0.0000004,
            "logit_change": 6.21,
            "samples": 143,
            "images": 61,
            "base_images": 214,
            "crop": "32 × 32 pixels",
        },
        "direction": "fwDBGkL/AQ==",
        "evidence": [
            *(
                {"name": f"exemplar-{n}", "caption": f"a {name} with noodles", "role": "exemplar"}
                for n, name in enumerate(("wok", "wok", "pan", "wok", "leaf"))
            ),
            *(
                each
                for name, n in pairs
                for each in (
                    {"name": f"before-{n}", "caption": f"{name}, .9{n}", "role": "before"},
                    {"name": f"after-{n}", "caption": f"wok, .8{n}", "role": "after"},
                )
            ),
            {"name": "control-1", "caption": "still a fish", "role": "control"},
            {"name": None, "caption": "a second one, of which no picture is kept", "role": "control"},
        ],
        "known_in_baseline": False,
        "policy_key": "shortcuts.margin",
        "policy_line": 8,
        "remedy": {
            "works": True,
            "summary": "Muting its direction takes the flips from 75 to 12 % and costs 0.6 points of accuracy.",
            "statistics": {
                "flips_before": 0.747,
                "flips_before_interval": [0.695, 0.793],
                "flips_after": 0.121,
                "flips_after_interval": [0.089, 0.163],
                "accuracy_before": 0.934,
                "accuracy_before_interval": [0.921, 0.945],
                "accuracy_after": 0.928,
                "accuracy_after_interval": [0.914, 0.94],
            },
            "model": "repaired.onnx",
        },
    }


def _others() -> list[dict[str, Any]]:
    return [
        {
            "id": "shortcuts-a0b1c2d3e4f5",
            "check": "shortcuts",
            "gate": False,
            "layer": "features.7",
            "side": 20,
            "title": "The vein of a leaf turns 41 % of other pictures into “leaf”, as it should",
            "cell": {"column": 12, "row": 4},
            "target": {"index": 5, "name": "leaf"},
            "statistics": {
                "flips": 0.41,
                "flips_interval": [0.36, 0.47],
                "control": 0.03,
                "control_interval": [0.015, 0.06],
                "purity": 0.97,
                "q": 0.002,
            },
            "direction": "AQJ/AA==",
            "evidence": [{"name": "after-4", "caption": "leaf, .61", "role": "after"}],
            "known_in_baseline": True,
        },
        {
            "id": "shortcuts-99aa88bb77cc",
            "check": "shortcuts",
            "gate": True,
            "layer": "features.4",
            "side": 20,
            "title": "A rim turns 33 % of other pictures into “mask”",
            "cell": {"column": 0, "row": 0},
            "target": {"index": 9, "name": "mask"},
            "direction": "fwD/AQ==",
            "statistics": {
                "flips": 0.33,
                "flips_interval": [0.28, 0.38],
                "control": 0.02,
                "control_interval": [0.01, 0.05],
            },
            "accepted": {"reason": "The rim is what makes it a mask.", "expires": "2030-01-31"},
            "policy_line": 8,
        },
    ]


def _region() -> dict[str, Any]:
    return {
        "id": "regions-5512ab34ee90",
        "check": "regions",
        "gate": True,
        "layer": "features.7",
        "side": 20,
        "title": f"Of 58 pictures like these the model gets 45 % wrong, most of them “{HOSTILE}”",
        "cell": {"column": 9, "row": 9},
        "statistics": {
            "error": 0.448,
            "error_interval": [0.327, 0.575],
            "overall_error": 0.066,
            "overall_error_interval": [0.055, 0.079],
            "images": 58,
            "calibration_gap": 0.21,
        },
        "evidence": [
            {"name": f"region-{n}", "caption": f"{name}, called {HOSTILE}", "role": "region"}
            for n, name in ((1, "fish"), (2, "window"), (3, "wheel"))
        ],
        "policy_key": "regions.error",
        "policy_line": 11,
    }


def audit(**changes: Any) -> Audit:
    """The document; `changes` replace its fields."""
    shortcuts = [_shortcut(), *_others()]
    checks = [
        {
            "check": "shortcuts",
            "verdict": "fail",
            "reason": "One piece decides what the model says.",
            "coverage": 0.86,
            "forward_passes": 17_290,
            "noise": {"flips": 0.021},
            "findings": shortcuts,
            "tables": {
                "strongest_cells": [
                    {
                        "layer": "features.7",
                        "cell": f"{n}-{n + 2}",
                        "class": "wok",
                        "flip_rate": 0.7 / (n + 1),
                        "q": 0.01 * n,
                    }
                    for n in range(40)
                ]
            },
        },
        {
            "check": "properties",
            "verdict": "pass",
            "reason": "No property of the pictures decides what the model says.",
            "coverage": 1,
            "forward_passes": 2_140,
            "noise": {"effect": 0.012},
            "tables": {"properties": {"brightness": {"effect": 0.01, "p": 0.4}, "border": {"effect": 0.02, "p": 0.3}}},
        },
        {
            "check": "regions",
            "verdict": "fail",
            "reason": "In one region 45 % are wrong, where 25 % are allowed.",
            "coverage": 1,
            "findings": [_region()],
            "noise": {"error": 0.01},
        },
        {
            "check": "versions",
            "verdict": "pass",
            "reason": "Nothing changed beyond the noise of another seed.",
            "coverage": 1,
            "forward_passes": 4_000,
            "noise": {"twin_distance": 0.021},
            "tables": {
                "layers": [
                    {
                        "layer": "features.4",
                        "cka": 0.992,
                        "mutual_neighbours_share": 0.81,
                        "twin_distance": 0.019,
                        "noise_floor": 0.02,
                    },
                    {
                        "layer": "features.7",
                        "cka": 0.981,
                        "mutual_neighbours_share": 0.74,
                        "twin_distance": 0.022,
                        "noise_floor": 0.02,
                    },
                ],
                "maps": [{"picture": "map-1", "caption": "features.7: the baseline, and this model"}],
                "cells_lost": [],
            },
        },
        {
            "check": "drift",
            "verdict": "inconclusive",
            "reason": "74 pictures are too few to tell.",
            "coverage": 0.4,
            "needs": "200 pictures or more, where now there are 74.",
        },
    ]
    document: dict[str, Any] = {
        "id": digest("an audit"),
        "verdict": "fail",
        "reason": "Noodles decide that a picture is a wok, and in one region 45 % of the pictures are got wrong.",
        "atlas": digest("an atlas"),
        "model": {"id": digest("a model"), "name": "pan-vision@candidate"},
        "dataset": {"id": digest("a dataset"), "name": "demo-world-0", "images": 1000},
        "base": {"id": digest("a dataset"), "name": "demo-world-0", "images": 1000},
        "baseline": {"id": digest("another model"), "name": "pan-vision@prod"},
        "policy": {"name": "ci/pan vision.toml", "text": POLICY, "sha256": digest(POLICY)},
        "seed": 0,
        "checks": checks,
        "digest": digest("a document"),
    }
    return Audit.model_validate_json(json.dumps({**document, **changes}))


def clean(**changes: Any) -> Audit:
    """The document of a model in which nothing was found."""
    checks = [
        {"check": check, "verdict": "pass", "reason": "Nothing was found.", "coverage": 1}
        for check in ("shortcuts", "regions")
    ]
    return audit(
        **{"verdict": "pass", "reason": "Nothing was found in what was looked at.", "checks": checks, "baseline": None}
        | changes
    )


@cache
def pictures() -> dict[str, bytes]:
    """Pictures of the demo's world under the names that the document has."""
    rng = np.random.default_rng(0)
    drawn: dict[str, NDArray[np.uint8]] = {}
    for number, name in ((1, "fish"), (2, "window"), (3, "wheel")):
        drawn[f"before-{number}"] = draw_picture(rng, name, False)
        drawn[f"after-{number}"] = paste_noodles(drawn[f"before-{number}"], rng)
        drawn[f"region-{number}"] = drawn[f"before-{number}"][:, ::-1]
    drawn["after-4"] = draw_picture(rng, "leaf", False)
    for number in range(5):
        drawn[f"exemplar-{number}"] = draw_picture(rng, "wok", True)[32:64, 32:64]
    drawn["control-1"] = drawn["before-1"][::-1]
    drawn["map-1"] = np.concatenate([np.tile(drawn["before-1"], (4, 4, 1)), np.tile(drawn["after-1"], (4, 4, 1))], 1)
    return {name: _png(pixels) for name, pixels in drawn.items()}


def _png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG")
    return file.getvalue()
