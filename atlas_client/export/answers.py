"""What an offline copy keeps of a service: answers by their addresses, as the viewer asks for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from atlas_client.connection import Document, path_of
from atlas_client.errors import RefusedError
from atlas_client.measures import MEASURES
from atlas_client.sources import ServiceSource

if TYPE_CHECKING:
    from atlas_client.atlas import Atlas
    from atlas_client.client import Client

Answers = dict[str, Any]


def answers_of(atlas: Atlas, classes: int, exemplars: int) -> Answers:
    """The answers that the viewer needs to show an atlas without its service.

    Args:
        atlas: The atlas, of a service or of a folder.
        classes: Classes of which heat maps are kept: those that most cells speak for first.
        exemplars: Real patches that are kept of a cell.

    Returns:
        Documents by address below the service, parameters in order.
    """
    source, name = atlas.source, atlas.manifest["id"]
    client = source.client if isinstance(source, ServiceSource) else None
    found: Answers = {address_of("atlases", name): _job(atlas)}
    for layer in atlas.layers:
        _add_layer(found, atlas, client, layer, exemplars)
    if client is None:
        return found | {address_of("atlases", name, "tour"): {"version": 0, "title": "", "stops": [], "saved": None}}
    _ask(found, client, path_of("atlases", name, "tour"))
    _ask_all(found, client, path_of("atlases", name, "confusions"))
    for label in leading_classes(atlas, classes):
        for layer in atlas.layers:
            for z, _ in enumerate(atlas.levels(layer)):
                _ask_heat(found, client, atlas, layer, z, {"class": label})
    return found


def address_of(*names: str | int, **asked: Any) -> str:
    """An address as the viewer writes it: below the page, its parameters in order."""
    path = path_of(*names).lstrip("/")
    return f"{path}?{urlencode(sorted(asked.items()))}" if asked else path


def leading_classes(atlas: Atlas, most: int) -> list[int]:
    """The classes that most cells of any level speak for first, the most frequent first."""
    counted: Counter[int] = Counter()
    for layer in atlas.layers:
        for side in atlas.levels(layer):
            counted.update(cell["classes"][0]["index"] for cell in atlas.raw_cells(layer, side) if cell.get("classes"))
    return [index for index, _ in counted.most_common(most)]


def _job(atlas: Atlas) -> Document:
    """The atlas's document, finished and without what only its service can do."""
    manifest = atlas.manifest
    return {
        "id": manifest["id"], "kind": "atlas", "name": None, "state": "succeeded", "spec": manifest["spec"],
        "progress": {}, "eta_seconds": None, "error": None, "links": {}, "manifest": manifest,
    }  # fmt: skip


def _add_layer(found: Answers, atlas: Atlas, client: Client | None, layer: str, exemplars: int) -> None:
    name = atlas.manifest["id"]
    for z, side in enumerate(atlas.levels(layer)):
        cells = [cell | {"exemplars": (cell.get("exemplars") or [])[: exemplars or None]}
                 for cell in atlas.raw_cells(layer, side)]  # fmt: skip
        found[address_of("atlases", name, "layers", layer, "levels", z, "cells")] = {
            "items": cells, "next_page_token": None,
        }  # fmt: skip
        counts = {key: [cell[key] for cell in cells] for key in ("column", "row", "count")}
        heat = {"layer": layer, "z": z, "side": side, "measure": "count", "class": None, "enough": 1, "least": 0,
                "scale": max(counts["count"], default=0), "greatest": max(counts["count"], default=0)}  # fmt: skip
        place = ("atlases", name, "layers", layer, "levels", z, "heatmap")
        found[address_of(*place, measure="count")] = {**heat, **counts, "value": counts["count"]}
        if client is not None:
            for measure in MEASURES[1:]:  # the first, counts, stand above
                _ask_heat(found, client, atlas, layer, z, {"measure": measure})
    if client is not None:
        _ask_all(found, client, path_of("atlases", name, "layers", layer, "names"))


def _ask_heat(found: Answers, client: Client, atlas: Atlas, layer: str, z: int, asked: Mapping[str, Any]) -> None:
    _ask(found, client, path_of("atlases", atlas.manifest["id"], "layers", layer, "levels", z, "heatmap"), asked)


def _ask_all(found: Answers, client: Client, path: str) -> None:
    """Keep all of a list as one page."""
    with suppress(RefusedError):
        found[path.lstrip("/")] = {"items": list(client.items(path)), "next_page_token": None}


def _ask(found: Answers, client: Client, path: str, asked: Mapping[str, Any] | None = None) -> None:
    """Keep an answer; what a service has none for, the copy has none for either."""
    try:
        answer = client.json("GET", path, params=dict(asked or {}))
    except RefusedError:
        return
    query = f"?{urlencode(sorted((asked or {}).items()))}" if asked else ""
    found[f"{path.lstrip('/')}{query}"] = answer
