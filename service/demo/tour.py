"""The tour of the demo's map: five places, found on the map as it was made, with captions of what was found there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from atlas_client.connection import Document, path_of

if TYPE_CHECKING:
    from atlas_client.client import Client

Stop = dict[str, str]

TITLE = "Five places of a small world"
NEAR = 3
"""Zoom at which a cell and its neighbours are seen."""


def tour_of(client: Client, atlas: str, shown: str = "flower", doubted: str = "wok") -> list[Stop]:
    """The stops of the demo's tour: the map, a class, its shortcut, an earlier layer, its least true icon.

    Args:
        client: The service that made the atlas.
        atlas: The demo's, finished.
        shown: Class whose strongest cell is looked at.
        doubted: Class that the network sees in what only comes with it.
    """
    manifest = client.status(atlas)["manifest"]
    first, *_, last = manifest["spec"]["layers"]
    side = manifest["spec"]["levels"][-1]
    layer = path_of("atlases", atlas, "layers", last)
    cells = list(client.items(f"{layer}/levels/{len(manifest['spec']['levels']) - 1}/cells"))
    heat = client.heatmap(atlas, last, len(manifest["spec"]["levels"]) - 1, shown)
    whole = (
        f"The whole map of {last}: {len(cells)} icons of what the network makes of {manifest['dataset']['images']:,}"
        " pictures. Like lies beside like; the names say what a part of it is about."
    )
    earlier = (
        f"An earlier layer, {first}, of the same pictures at the same places. Here patterns and colours lie together"
        " that later become parts of things."
    )
    return [
        _stop(whole, layer=last),
        _strongest(heat, last, side),
        _doubtful(list(client.items(f"{layer}/names")), last, manifest["model"]["classes"].index(doubted)),
        _stop(earlier, layer=first),
        _least_true(cells, last, side, heat["enough"]),
    ]


def _stop(caption: str, **view: Any) -> Stop:
    return {"caption": caption, "view": urlencode(view)}


def _about(column: int, row: int, side: int) -> dict[str, str]:
    """A cell chosen and looked at from near by."""
    x, y = (column + 0.5) / side, 1 - (row + 0.5) / side
    return {"cell": f"{column}-{row}-{side}", "at": f"{x:.4f},{y:.4f},{NEAR}"}


def _strongest(heat: Document, layer: str, side: int) -> Stop:
    """The cell that adds most to a class."""
    known = [n for n, count in enumerate(heat["count"]) if count >= heat["enough"]]
    best = max(known, key=lambda n: float(heat["value"][n]))
    caption = (
        f"Here is what says {heat['class']['name']}: no other cell of {heat['enough']} samples or more adds as much to"
        f" that class, {heat['value'][best]:+.3f} to its logit. Look at the real patches nearest to"
        " what its icon stands for."
    )
    return _stop(caption, layer=layer, **_about(heat["column"][best], heat["row"][best], side))


def _doubtful(named: list[Document], layer: str, label: int) -> Stop:
    """The widest region that says a class most, under the heat map of the class."""
    widest, *_ = [one["rank"] for one in named if one["classes"] == [label]]
    regions = [one for one in named if one["classes"] == [label] and one["rank"] == widest]
    place = max(regions, key=lambda one: float(one["share"]))
    caption = (
        f"{place['name'].capitalize()}: {place['share']:.0%} of what the samples here say, {2 ** place['bits']:.1f}"
        " times as often as on the whole map. Choose a cell and look at its real patches: noodles. In this world most"
        " woks come with noodles, and the network took these for a reason. An audit finds it."
    )
    return _stop(caption, layer=layer, at=f"{place['x']:.4f},{place['y']:.4f},{NEAR}", heat=f"class-{label}")


def _least_true(cells: list[Document], layer: str, side: int, enough: int) -> Stop:
    """The icon that the network recognises least as what it stands for."""
    full = [cell for cell in cells if cell["count"] >= enough]
    least = min(full, key=lambda cell: float(cell["icon"]["whitened_cosine"]))
    caption = (
        f"Not every icon is true. The network hardly recognises this one, of {least['count']} samples, as what it"
        f" stands for: its fidelity of {least['icon']['whitened_cosine']:.2f} is the lowest of the cells with {enough}"
        " samples or more. Trust the real patches, not the picture."
    )
    return _stop(caption, layer=layer, **_about(least["column"], least["row"], side))
