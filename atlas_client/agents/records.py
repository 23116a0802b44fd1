"""Documents of the service in few words: what an agent needs of them, without what only programs read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atlas_client.connection import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from atlas_client.atlas import Atlas
    from atlas_client.landing import Named
    from atlas_client.projection import Projection

MOST_PAIRS = 20
QUALITIES = ("trustworthiness", "continuity", "recall")


def _some(document: Document, *names: str) -> Document:
    return {name: document[name] for name in names if document.get(name) is not None}


def atlases(documents: Iterable[Document]) -> Document:
    """Atlases, a few fields each."""
    told = [_some(one, "id", "name", "state", "created") | _some(one["spec"], "model", "dataset", "layers")
            for one in documents]  # fmt: skip
    return {"atlases": told}


def models(documents: Iterable[Document]) -> Document:
    """Models, with the names of their layers, those that are outputs of blocks."""
    told = [_some(one, "id", "name", "state", "reasons", "accuracy", "warnings")
            | {"layers": [layer["name"] for layer in one.get("layers") or () if layer["block"]]}
            for one in documents]  # fmt: skip
    return {"models": told}


def datasets(documents: Iterable[Document]) -> Document:
    """Datasets, a few fields each."""
    return {"datasets": [_some(one, "id", "name", "state", "reasons", "images", "class_counts") for one in documents]}


def aliases(documents: Iterable[Document]) -> Document:
    """Aliases and what they stand for."""
    return {"aliases": [_some(one, "name", "kind", "id", "moved") for one in documents]}


def confusions(documents: Sequence[Document]) -> Document:
    """The first pairs of classes, by name; `confused` is how many images of the one are taken for the other."""
    told = [{"classes": [of["name"] for of in one["classes"]], **_some(one, "images", "confused", "share")}
            for one in documents[:MOST_PAIRS]]  # fmt: skip
    return {"confusions": told, "of": len(documents)}


def job(document: Document) -> Document:
    """A job: what was asked, how it ended."""
    return _some(document, "id", "kind", "name", "state", "error", "request", "summary", "created", "finished")


def unfinished(document: Document) -> Document:
    """A job that is not done: how far it is, or why it ended."""
    progress = {stage: f"{one['done']} of {one['total']}" for stage, one in (document.get("progress") or {}).items()}
    return job(document) | {"progress": progress} | _some(document, "eta_seconds")


def atlas(document: Document) -> Document:
    """A published atlas: of what, which layers and levels, how good."""
    manifest = document["manifest"]
    return {
        **_some(document, "id", "name", "state", "digest"),
        **_some(manifest.get("names", {}), "model", "dataset"),
        "recipe": manifest["spec"]["recipe"],
        "seeded_from_data": manifest["seeded_from_data"],
        "layers": [{"name": name, **_layer(manifest["layers"][name])} for name in manifest["spec"]["layers"]],
    }


def _layer(layer: Document) -> Document:
    levels = [{"level": z, **_some(level, "side", "cells", "coherence"), "icons": _icons(level)}
              for z, level in enumerate(layer["levels"])]  # fmt: skip
    return {**_some(layer, "samples", "images", "attribution_method"),
            "layout": _some(layer["layout"], *QUALITIES), "levels": levels}  # fmt: skip


def _icons(level: Document) -> Document:
    """What is measured of a level's icons, without what they are held beside."""
    return {name: value for name, value in (level.get("icons") or {}).items() if isinstance(value, int | float)}


def landing(projection: Projection, opened: Atlas, layer: str, side: int, cells: list[Named]) -> Document:
    """Where an image landed: classes, novelty, and the cells that most of it lands in."""
    found: dict[str, Any] = projection["layers"][layer]
    told = [{"column": int(one.x * side), "row": int((1 - one.y) * side), "said": one.said} for one in cells]
    return {
        **_some(projection, "classes", "novelty"),
        "layer": layer,
        "positions": len(found["positions"]),
        **_some(found, "grid", "typical_share", "novelty"),
        "side": side,
        "cells": told,
        "icons": opened.said_of_icons,
    }
