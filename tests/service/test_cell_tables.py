"""Cells as files: by link, by Accept, by the client and by the command."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pyarrow
from pyarrow import parquet

from atlas_client.cli import run

if TYPE_CHECKING:
    import pytest

    from tests.service.conftest import Live


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def test_csv_says_what_the_cells_and_the_heat_maps_say(live: Live) -> None:
    cells = list(live.client.items(f"{live.level}/cells"))
    rows = rows_of(live.client.cells_file(live.atlas["id"], "features.4", 0))
    assert [(row["column"], row["row"], row["count"]) for row in rows] == [
        (str(cell["column"]), str(cell["row"]), str(cell["count"])) for cell in cells
    ]
    assert [row["class_1"] for row in rows] == [cell["classes"][0]["name"] for cell in cells]
    assert [float(row["whitened_cosine"]) for row in rows] == [cell["icon"]["whitened_cosine"] for cell in cells]
    heat = live.client.heatmap(live.atlas["id"], "features.4", 0, measure="error")
    assert [float(row["error"]) for row in rows] == heat["value"]
    assert [float(row["error_high"]) for row in rows] == heat["high"]


def test_the_form_is_asked_for_by_accept_or_by_link(live: Live) -> None:
    url = f"{live.service.url}{live.level}/cells"
    by_accept = httpx.get(url, headers={"accept": "text/csv"})
    assert by_accept.headers["content-type"].startswith("text/csv")
    assert "cells-features.4-3.csv" in by_accept.headers["content-disposition"]
    by_link = httpx.get(url, params={"format": "csv"})
    assert by_link.content == by_accept.content
    for accept in ("application/json", "*/*", "application/json, text/csv"):
        assert "items" in httpx.get(url, headers={"accept": accept}).json()
    tag = by_accept.headers["etag"]
    again = httpx.get(url, headers={"accept": "text/csv", "if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert httpx.get(url, headers={"if-none-match": tag}).status_code == 200  # the JSON is another thing


def test_what_is_filtered_is_filtered_in_a_file_too(live: Live) -> None:
    url = f"{live.service.url}{live.level}/cells"
    whole = rows_of(httpx.get(url, params={"format": "csv"}).content)
    some = rows_of(httpx.get(url, params={"format": "csv", "bbox": "0,0,2,0"}).content)
    assert some == [row for row in whole if row["row"] == "0"]
    assert 0 < len(some) < len(whole)
    refused = httpx.get(url, params={"format": "xlsx"})
    assert (refused.status_code, refused.json()["errors"][0]["parameter"]) == (422, "format")


def test_the_command_writes_what_its_file_is_named(
    live: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cells.parquet"
    assert run(["cells", live.atlas["id"], "--level", "1", "--out", str(file), "--url", live.service.url]) == 0
    assert str(file) in capsys.readouterr().out
    table = parquet.read_table(pyarrow.BufferReader(file.read_bytes()))
    heat = live.client.heatmap(live.atlas["id"], "features.4", 1, measure="count")
    assert table.column("count").to_pylist() == heat["count"]
    assert run(["cells", live.atlas["id"], "--out", str(tmp_path / "cells.xlsx"), "--url", live.service.url]) == 4
    assert ".csv or .parquet" in capsys.readouterr().err
