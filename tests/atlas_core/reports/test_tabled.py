from __future__ import annotations

from typing import Any

from atlas_core.reports.tabled import ROWS, Table, single, tabled

PATCH = {"name": "evidence-1", "caption": "a wok", "role": "exemplar"}
MAP = {"name": "evidence-2", "caption": "both halves", "role": "map"}


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_rows_become_a_table_in_their_units_and_an_interval_stands_with_its_number() -> None:
    rows = [
        {"layer": "a", "flip_rate": 0.5, "flip_rate_interval": [0.4, 0.6], "q": 0.02},
        {"layer": "b", "flip_rate": None},
    ]
    made = tabled("strongest_cells", rows)
    assert (made.title, made.columns) == ("Strongest cells", ["Layer", "q, for all tests together", "Flip rate"])
    assert texts(made) == [["a", ".020", "50 % (40 to 60 %)"], ["b", "", ""]]
    assert [cell.is_number for cell in made.rows[0]] == [False, True, True]


def test_a_mapping_of_mappings_names_its_rows_and_one_of_values_has_two_columns() -> None:
    made = tabled("layers", {"features.4": {"cka": 0.99, "range": [1.0, 2.0], "ok": True}})
    assert (made.columns, texts(made)) == (["Name", "CKA", "Range", "Ok"], [["features.4", "0.99", "1 to 2", "yes"]])
    value: dict[str, Any] = {"images": 1200, "words": {"a": 1, "b": None}, "names": ["x", "y"]}
    assert texts(tabled("x", value)) == [["Images", "1,200"], ["Words", "a 1, b –"], ["Names", "x; y"]]
    assert texts(tabled("x", 0.16)) == [["0.16"]]


def test_long_tables_end_and_say_how_much_is_left() -> None:
    made = tabled("cells", [{"n": n} for n in range(ROWS + 5)])
    assert (len(made.rows), made.more) == (ROWS, 5)
    assert tabled("cells", []).rows == []


def test_evidence_is_shown_in_its_row_and_maps_below() -> None:
    made = tabled("strongest", [{"layer": "a", "evidence": [PATCH], "shown": [MAP]}])
    assert made.columns == ["Layer", "Evidence"]
    assert made.rows[0][1].pictures == (PATCH,)
    assert made.pictures == [MAP]


def test_single_values_stand_alone() -> None:
    tables = {
        "base_images": 214,
        "sizes": [0.16, 0.25],
        "rows": [{"a": 1}],
        "whole": {"share": 0.5, "high": 0.6, "low": 0.4},
        "maps": {"a": {"b": 1}},
        "none": [],
        "q": None,
    }
    assert single(tables) == {
        "Base images": "214",
        "Sizes": "0.16 to 0.25",
        "Whole": "share 50 % (40 to 60 %)",
        "Q": "–",
    }
