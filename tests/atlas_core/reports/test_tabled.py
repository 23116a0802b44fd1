from __future__ import annotations

from atlas_core.reports.tabled import ROWS, Table, tabled


def test_rows_become_a_table_in_their_units() -> None:
    made = tabled("strongest_cells", [{"layer": "a", "flip_rate": 0.5, "q": 0.02}, {"layer": "b", "flip_rate": None}])
    assert made == Table(
        "Strongest cells", ["Layer", "Flip rate", "Q"], [["a", "50 %", ".020"], ["b", "–", "–"]], [False, True, True]
    )


def test_a_mapping_of_mappings_names_its_rows_and_one_of_values_has_two_columns() -> None:
    made = tabled("layers", {"features.4": {"cka": 0.99, "range": [1, 2], "ok": True}})
    assert (made.columns, made.rows) == (["Name", "Cka", "Range", "Ok"], [["features.4", "0.99", "1 to 2", "yes"]])
    assert tabled("x", {"images": 1200, "words": {"a": 1}}).rows == [["Images", "1,200"], ["Words", "a 1"]]


def test_long_tables_end_and_say_how_much_is_left() -> None:
    made = tabled("cells", [{"n": n} for n in range(ROWS + 5)])
    assert (len(made.rows), made.more) == (ROWS, 5)
    assert tabled("cells", []).rows == []


def test_pictures_are_pictures() -> None:
    made = tabled("maps", [{"picture": "map-1", "caption": "before"}, {"picture": "map-2"}])
    assert (made.pictures, made.rows) == ([("map-1", "before"), ("map-2", "")], ())
