from __future__ import annotations

import csv
import io
from typing import Any

import pyarrow
from pyarrow import parquet

from atlas_core.cell_tables import COLUMNS, columns, table_csv, table_parquet

FIRST: dict[str, Any] = {
    "column": 0, "row": 3, "count": 12, "images": 9, "few_images": True, "coherence": 0.5, "pair_cosine": 0.25,
    "classes": [
        {"index": 4, "name": 'fish, "big"', "attribution": 1.5, "share": 0.5, "images": 8},
        {"index": 1, "name": "Öl", "attribution": -0.25, "share": 0.1, "images": 1},
    ],
    "icon": {"whitened_cosine": 0.75, "robust": 0.5, "retrieval_rank": 0, "contrast": 0.125, "high_frequency": 0.0,
             "start_correlation": None, "exemplar_correlation": 0.5, "marks": ["low_fidelity", "grain"]},
}  # fmt: skip
BARE = {"column": 2, "row": 0, "count": 40, "images": 30, "few_images": False, "coherence": 0.25, "pair_cosine": 0.125,
        "classes": None, "icon": None}  # fmt: skip
TABLE = columns([FIRST, BARE], 4, {(0, 3): {"error": 0.25, "error_low": 0.125, "error_high": 0.5}})


def test_a_row_says_where_a_cell_lies_what_it_holds_and_what_speaks_for_it() -> None:
    first = {name: values[0] for name, values in TABLE.items()}
    assert (first["x"], first["y"]) == (0.125, 0.125)  # the bottom left corner's centre; y runs up
    assert (first["count"], first["images"], first["few_images"]) == (12, 9, True)
    assert first["marks"] == "low_fidelity grain"
    assert (first["class_1"], first["attribution_1"], first["class_2"]) == ('fish, "big"', 1.5, "Öl")
    assert first["class_3"] is None
    assert (first["error"], first["error_low"], first["confidence"]) == (0.25, 0.125, None)
    second = {name: values[1] for name, values in TABLE.items()}
    assert (second["x"], second["y"]) == (0.625, 0.875)
    assert [second[name] for name in ("marks", "robust", "class_1", "error")] == [None] * 4


def test_csv_reads_back_with_its_names_and_leaves_what_is_not_known_empty() -> None:
    rows = list(csv.DictReader(io.StringIO(table_csv(TABLE).decode(), newline="")))
    assert list(rows[0]) == list(COLUMNS)
    assert (rows[0]["class_1"], rows[0]["attribution_2"]) == ('fish, "big"', "-0.25")
    assert (rows[0]["few_images"], rows[1]["few_images"]) == ("true", "false")
    assert (rows[1]["class_1"], rows[1]["robust"]) == ("", "")


def test_parquet_has_the_same_columns_with_their_types() -> None:
    read = parquet.read_table(pyarrow.BufferReader(table_parquet(TABLE)))
    assert read.column_names == list(COLUMNS)
    assert read.to_pydict() == TABLE
    kinds = {name: str(read.schema.field(name).type) for name in ("column", "x", "few_images", "class_5")}
    assert kinds == {"column": "int64", "x": "double", "few_images": "bool", "class_5": "string"}


def test_a_level_without_cells_is_a_table_without_rows() -> None:
    empty = columns([], 4, {})
    assert table_csv(empty).decode() == ",".join(COLUMNS) + "\r\n"
    assert parquet.read_table(pyarrow.BufferReader(table_parquet(empty))).num_rows == 0
