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
least = 50

[versions]
accuracy_lost = 0.02

[[accepted]]
check = "shortcuts"
class = "mask"
layer = "features.4"
direction = "fwD/AQ=="
reason = "The rim is what makes it a mask."
expires = 2030-01-31
"""
# fmt: off

SHORTCUT: dict[str, Any] = {
    "id": "3f9c2a71d0e4", "check": "shortcuts", "gate": True, "layer": "features.7", "side": 20,
    "title": "pasted on pictures of other classes, pieces from cell 3-17 of features.7 turn 75% of them into 'wok'",
    "cell": {"column": 3, "row": 17}, "target": {"index": 9, "name": "wok"},
    "statistics": {
        "flips": 0.747, "flips_interval": [0.695, 0.793], "control": 0.053, "control_interval": [0.033, 0.085],
        "q": 0.0000004, "pastes": 300, "base_images": 214, "size": 24, "gain": 6.21, "gain_interval": [5.9, 6.5],
        "lowest_exemplar": 0.44, "exemplars": 8, "images": 61, "samples": 143, "another_seed_finds_it": 1.0,
        "purity": 0.31, "purity_interval": [0.24, 0.39], "kind": "shortcut",
        "why": "crops of 12 pictures of other classes do the same"},
    "direction": "fwDBGkL/AQ==",
    "evidence": [
        *({"name": f"shortcuts-exemplar-{n}", "caption": f"a {name} with noodles", "role": "exemplar"}
          for n, name in enumerate(("wok", "wok", "pan", "wok", "leaf"))),
        *(each for name, n in (("fish", 1), ("window", 2), ("wheel", 3)) for each in (
            {"name": f"shortcuts-before-{n}", "caption": f"{name}, .9{n}", "role": "before"},
            {"name": f"shortcuts-after-{n}", "caption": f"wok, .8{n}", "role": "after"})),
        {"name": "shortcuts-control-1", "caption": "still a fish", "role": "control"},
        {"name": None, "caption": "a second one, of which no picture is kept", "role": "control"}],
    "known_in_baseline": False, "policy_key": "shortcuts.margin", "policy_line": 8,
    "remedy": {
        "works": True, "model": "repaired-wok.onnx",
        "summary": "with 1 direction muted at features.7, flips into 'wok' fall from 75% to 12%",
        "statistics": {
            "layer": "features.7", "directions": 1, "flips_before": 0.747, "flips_before_interval": [0.695, 0.793],
            "flips_after": 0.121, "flips_after_interval": [0.089, 0.163], "accuracy_before": 0.934,
            "accuracy_after": 0.928, "accuracy_lost": 0.006, "accuracy_lost_interval": [-0.002, 0.014]}},
}
FEATURE: dict[str, Any] = {
    "id": "a0b1c2d3e4f5", "check": "shortcuts", "gate": False, "layer": "features.7", "side": 20,
    "title": "the vein of a leaf turns 41% of other pictures into 'leaf'",
    "cell": {"column": 12, "row": 4}, "target": {"index": 4, "name": "leaf"},
    "statistics": {
        "flips": 0.41, "flips_interval": [0.36, 0.47], "control": 0.03, "control_interval": [0.015, 0.06], "q": 0.002,
        "kind": "feature", "why": "only pictures of the class have it, so it may be what makes the class: look at it"},
    "direction": "AQJ/AA==", "known_in_baseline": True,
    "evidence": [{"name": "shortcuts-after-4", "caption": "leaf, .61", "role": "after"}],
}
ACCEPTED: dict[str, Any] = {
    "id": "99aa88bb77cc", "check": "shortcuts", "gate": False, "layer": "features.4", "side": 20,
    "title": "a rim turns 33% of other pictures into 'mask'", "cell": {"column": 0, "row": 0},
    "target": {"index": 5, "name": "mask"}, "direction": "fwD/AQ==",
    "statistics": {"flips": 0.33, "flips_interval": [0.28, 0.38], "control": 0.02, "control_interval": [0.01, 0.05]},
    "accepted": {"reason": "The rim is what makes it a mask.", "expires": "2030-01-31"}, "policy_line": 8,
}
REGION: dict[str, Any] = {
    "id": "5512ab34ee90", "check": "regions", "gate": True, "layer": "features.7", "side": 20,
    "title": f"the model is wrong on 45% of the 58 images in cell 9-9, mostly 'fish' as '{HOSTILE}'",
    "cell": {"column": 9, "row": 9},
    "statistics": {
        "kind": "worst", "of_all": 0.066, "of_all_interval": [0.055, 0.079], "images": 58, "wrong": 26, "error": 0.448,
        "error_interval": [0.327, 0.575], "calibration": 0.21},
    "evidence": [{"name": f"regions-region-{n}", "caption": f"{name}, called {HOSTILE}", "role": "region"}
                 for n, name in ((1, "fish"), (2, "window"), (3, "wheel"))],
    "policy_key": "regions.error", "policy_line": 11,
}
CHECKS: list[dict[str, Any]] = [
    {"check": "shortcuts", "verdict": "fail", "coverage": 0.86, "forward_passes": 17_290,
     "reason": "1 cell of the map, pasted on other pictures, makes the model see 'wok'; 421 of 490 tests were made",
     "noise": {"half_width": 0.049, "another_verdict": 0.0}, "findings": [SHORTCUT, FEATURE, ACCEPTED],
     "tables": {"base_images": 214, "sizes": [0.16, 0.25], "strongest": [
         {"layer": "features.7", "column": n, "class": "wok", "found": n < 3, "flips": 0.7 / (n + 1),
          "flips_interval": [0.6 / (n + 1), 0.8 / (n + 1)], "q": 0.01 * n, "evidence": [
              {"name": f"shortcuts-exemplar-{n % 5}", "caption": "a wok with noodles", "role": "exemplar"}]}
         for n in range(40)]}},
    {"check": "properties", "verdict": "inconclusive", "coverage": 0.4, "forward_passes": 2_140,
     "reason": "74 pictures are too few to tell", "needs": "200 pictures or more, where now there are 74",
     "tables": {"files": {"format": {"share": 0.1, "p": 0.4}, "bytes": {"share": 0.2, "p": 0.3}}}},
    {"check": "regions", "verdict": "fail", "reason": "in one region 45% are wrong", "coverage": 1,
     "findings": [REGION], "noise": {"half_width": 0.124}},
    {"check": "versions", "verdict": "pass", "coverage": 1, "forward_passes": 4_000,
     "reason": "accuracy 93.1% → 93.4% on 1,000 images; 0 changes beyond the noise",
     "noise": {"features.7: distance of twins": 0.021},
     "tables": {"classes": [], "layers": [
         {"layer": layer, "cka": cka, "neighbours": {"mutual": 0.81, "floor": 0.8}, "evidence": [
             {"name": "versions-map-1", "caption": f"{layer}: the baseline, and this model", "role": "map"}]}
         for layer, cka in (("features.4", 0.992), ("features.7", 0.981))]}},
]
DOCUMENT: dict[str, Any] = {
    "id": digest("an audit"), "verdict": "fail", "exit_code": 1,
    "atlas": digest("an atlas"), "seed": 0,
    "reason": "noodles decide that a picture is a wok, and in one region 45% of the pictures are got wrong",
    "model": {"id": digest("a model"), "name": "pan-vision@candidate"},
    "dataset": {"id": digest("a dataset"), "name": "demo-world-0", "images": 1000},
    "base": {"id": digest("a dataset"), "name": "demo-world-0", "images": 1000},
    "baseline": {"id": digest("another model"), "name": "pan-vision@prod"},
    "accuracy": {"top1": 0.934, "interval": [0.917, 0.948], "images": 1000},
    "policy": {"name": "ci/pan vision.toml", "text": POLICY, "sha256": digest(POLICY)}, "checks": CHECKS,
    "skipped": {"drift": "no dataset to compare with was named"},
    "warnings": ["ci/pan vision.toml, line 17: this acceptance ends in 30 days"], "digest": digest("a document"),
}
CLEAN: dict[str, Any] = {
    "verdict": "pass", "exit_code": 0, "reason": "nothing was found by shortcuts, regions", "baseline": None,
    "skipped": {}, "warnings": [],
    "checks": [{"check": check, "verdict": "pass", "reason": "nothing was found", "coverage": 1}
               for check in ("shortcuts", "regions")],
}
# fmt: on


def audit(**changes: Any) -> Audit:
    """The document; `changes` replace its fields."""
    return Audit.model_validate_json(json.dumps(DOCUMENT | changes))


def clean(**changes: Any) -> Audit:
    """The document of a model in which nothing was found."""
    return audit(**CLEAN | changes)


@cache
def pictures() -> dict[str, bytes]:
    """Pictures of the demo's world under the names that the document has."""
    rng = np.random.default_rng(0)
    drawn: dict[str, NDArray[np.uint8]] = {}
    for number, name in ((1, "fish"), (2, "window"), (3, "wheel")):
        before = draw_picture(rng, name, False)
        drawn[f"shortcuts-before-{number}"] = before
        drawn[f"shortcuts-after-{number}"] = paste_noodles(before, rng)
        drawn[f"regions-region-{number}"] = before[:, ::-1]
    drawn["shortcuts-after-4"] = draw_picture(rng, "leaf", False)
    drawn["shortcuts-control-1"] = draw_picture(rng, "fish", False)
    for number in range(5):
        drawn[f"shortcuts-exemplar-{number}"] = draw_picture(rng, "wok", True)[32:64, 32:64]
    drawn["versions-map-1"] = np.tile(draw_picture(rng, "wok", True), (4, 8, 1))
    return {name: _png(pixels) for name, pixels in drawn.items()}


def _png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG")
    return file.getvalue()
