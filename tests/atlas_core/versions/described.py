"""A comparison's description with everything in it, made by hand."""

from __future__ import annotations

from typing import Any

from atlas_core.versions.summary import findings

LAYER = "layer3"


def accuracy(name: str, old: float, new: float, q: float) -> dict[str, Any]:
    """A class's accuracy."""
    verdict = None if q > 0.05 else "damaged" if new < old else "improved"
    return {"index": len(name), "name": name, "images": 200, "old": old, "new": new, "change": new - old,
            "low": new - old - 0.05, "high": new - old + 0.05, "lost": 50, "won": 10, "p": q, "q": q,
            "verdict": verdict, "examples": [{"image": "a.jpg", "now": "dog"}] if verdict == "damaged" else [],
            "evidence": "evidence-1" if verdict == "damaged" else None}  # fmt: skip


def cell(column: int, row: int, name: str, **more: Any) -> dict[str, Any]:
    """A cell that changed."""
    return {"column": column, "row": row, "images": 40, "others": 2, "astray": 38, "q": 0.001,
            "classes": [{"name": name, "share": 0.9}], "exemplars": [], "evidence": None, **more}  # fmt: skip


def described(**changes: Any) -> dict[str, Any]:
    """One in which a class was damaged and cells changed."""
    alike = {"value": 0.72, "low": 0.7, "high": 0.74, "images": 2000}
    layer = {
        "layer": LAYER, "other": LAYER, "samples": 4000,
        "map": {"twins": {"distance": 0.02, "floor": 0.003}, "retrieval": {"share": 0.9, "floor": 1.0},
                "trustworthiness": {"old": 0.94, "new": 0.93}},
        "likeness": {"cka": {**alike, "value": 0.98}, "neighbours": alike, "k": 15, "chance": 0.004, "classes": []},
        "neighbourhoods": [{"index": 0, "name": "cat", "images": 200, "own": {"old": 0.5, "new": 0.3},
                            "nearest": {"old": [], "new": []},
                            "changes": [{"name": "dog", "old": 0.2, "new": 0.4, "q": 0.001}]}],
        "cells": {"side": 20, "reach": 0.075, "astray": {"share": 0.02, "floor": 0.001},
                  "filled": {"old": 241, "new": 240}, "numbers": {"born": 1, "lost": 1, "moved": 1},
                  "born": [cell(1, 2, "frog")], "lost": [cell(3, 4, "ship")],
                  "moved": [cell(5, 6, "deer", **{"from": {"column": 7, "row": 8}})],
                  "accuracy": [{"column": 9, "row": 9, "images": 60, "old": 0.8, "new": 0.4, "change": -0.4,
                                "q": 0.01, "classes": [{"name": "cat", "share": 0.8}]}]},
    }  # fmt: skip
    classes = [accuracy("cat", 0.7, 0.2, 1e-9), accuracy("dog", 0.7, 0.8, 0.01), accuracy("ship", 0.9, 0.88, 0.6)]
    overall = {name: value for name, value in accuracy("all", 0.81, 0.77, 1e-6).items()
               if name not in ("index", "name", "verdict")}  # fmt: skip
    found: dict[str, Any] = {
        "old": {"model": "a", "name": "resnet"}, "new": {"model": "b", "name": "resnet"},
        "dataset": {"dataset": "c", "name": "cifar"}, "alpha": 0.05, "images": 2000,
        "agreement": {"images": 2000, "share": 0.9, "low": 0.89, "high": 0.91},
        "accuracy": {"overall": overall, "classes": classes, "damaged": ["cat"], "improved": ["dog"]},
        "layers": [layer], **changes,
    }  # fmt: skip
    return {"findings": findings(found), **found}
