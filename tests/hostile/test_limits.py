"""docs/security.md tells the limits that the code has."""

from __future__ import annotations

import re
from pathlib import Path

from atlas_core.datasets import decode, manifests, sources, tars, zips
from atlas_core.models import onnx_graph, onnx_session
from atlas_core.settings import Settings
from service import bodies, connections
from service.settings import ServiceSettings
from workers import messages

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"
UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
OWN = {
    "head": connections.HEAD_BYTES,
    "levels of JSON": bodies.MOST_LEVELS,
    "digits of a whole number": bodies.MOST_DIGITS,
    "nodes of an ONNX graph": onnx_graph.MOST_NODES,
    "numbers of an ONNX tensor": onnx_graph.MOST_ELEMENTS,
    "memory of an ONNX trial": onnx_session.TRIAL_BYTES,
    "pixels of a picture": decode.MAX_PIXELS,
    "picture in a dataset": sources.MAX_BYTES,
    "entries of an archive": sources.MAX_ENTRIES,
    "ratio of a zip's entry": zips.MAX_RATIO,
    "manifest": manifests.MAX_MANIFEST_BYTES,
    "shards": tars.MAX_SHARDS,
    "characters of a message's body": messages.LONGEST,
}


def rows() -> list[tuple[str, int, str | None]]:
    """What is limited, to how much, and by which setting."""
    table = PAGE.read_text().partition("## Limits")[2].partition("\n## ")[0]
    found = []
    for line in table.splitlines():
        what, value, setting = ([cell.strip() for cell in line.split("|")[1:-1]] + ["", "", ""])[:3]
        if number := re.match(r"([\d,]+) ?(\w+)?", value):
            amount = int(number[1].replace(",", "")) * UNITS.get(number[2] or "", 1)
            found.append((what, amount, setting.strip("`").removeprefix("ATLAS_").lower() or None))
    return found


def test_the_page_tells_every_limit_as_it_is() -> None:
    told = rows()
    fields = {**Settings.model_fields, **ServiceSettings.model_fields}
    assert {what: amount for what, amount, setting in told if setting is None} == OWN
    assert all(fields[setting].default == amount for _, amount, setting in told if setting is not None)
    ends = ("limit_bytes", "body_seconds", "head_seconds")
    limited = {name for name in ServiceSettings.model_fields if name.endswith(ends)}
    assert limited | {"connections", "requests", "inspection_bytes", "inspection_seconds"} == {
        setting for _, _, setting in told if setting is not None
    }
    assert f"each {bodies.SLOWEST:,} bytes" in PAGE.read_text()
