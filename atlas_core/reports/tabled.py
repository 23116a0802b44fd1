"""What checks tell besides their findings, as tables: they give rows of named values, and nothing of how it looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from atlas_core.reports.readings import Reading, in_words, readings, spoken, unit_of

ROWS = 20
PICTURE = frozenset(("name", "caption", "role"))
"""What a picture is told by, in a finding's evidence and in tables."""
LARGE = "map"


@dataclass(frozen=True)
class Cell:
    """One cell.

    Args:
        text: What stands in it.
        pictures: Evidence in it, each with name, caption and role.
        is_number: Whether it is one.
    """

    text: str = ""
    pictures: tuple[Mapping[str, Any], ...] = ()
    is_number: bool = False


@dataclass(frozen=True)
class Table:
    """A table that is shown.

    Args:
        title: What it is of.
        columns: Names of its columns.
        rows: Its cells.
        more: Rows that are not shown.
        pictures: Its maps, too large for cells.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    more: int = 0
    pictures: Sequence[Mapping[str, Any]] = ()


def tabled(name: str, value: Any) -> Table:
    """A value of a check's `tables` as a table.

    Rows are a list of mappings, or a mapping of mappings whose keys come first; a mapping of single values is a table
    of two columns. Evidence in a row is shown as pictures, maps below the table.
    """
    rows = [_row(row) for row in _rows(value)]
    columns = [
        each for each in dict.fromkeys(key for row in rows for key in row) if any(_says(row, each) for row in rows)
    ]
    cells = [[row.get(each, Cell()) for each in columns] for row in rows[:ROWS]]
    return Table(
        spoken(name), columns, cells, max(0, len(rows) - ROWS), [each for each in _pictures(value) if _is_large(each)]
    )


def single(tables: Mapping[str, Any]) -> dict[str, str]:
    """Of a check's `tables` what wants no table, by what it is called: values, lists of such, and a few with names."""
    return {spoken(name): _text(name, value) for name, value in tables.items() if _is_single(value)}


def _is_single(value: Any) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = list(value.values()) if isinstance(value, dict) else value
    return bool(inner) and not any(isinstance(each, dict | list) for each in inner)


def _says(row: Mapping[str, Cell], column: str) -> bool:
    cell = row.get(column, Cell())
    return bool(cell.text or cell.pictures)


def _rows(value: Any) -> list[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if value and all(isinstance(each, Mapping) and not each.keys() >= PICTURE for each in value.values()):
            return [{"name": key, **each} for key, each in value.items()]
        return [{"name": spoken(str(key)), "value": Cell(_text(str(key), each))} for key, each in value.items()]
    if isinstance(value, list | tuple):
        return [each if isinstance(each, Mapping) and not each.keys() >= PICTURE else {"": each} for each in value]
    return [{"": value}]


def _row(row: Mapping[str, Any]) -> dict[str, Cell]:
    """A row's cells by their column; a number and its interval share one."""
    told = {}
    for reading in readings(row):
        value = reading.value
        if isinstance(value, Cell):
            told[reading.label] = value
        elif value is None or isinstance(value, str | int | float):
            told[reading.label] = Cell(reading.whole, is_number=not isinstance(value, str | bool))
        else:
            small = tuple(each for each in _pictures(value) if not _is_large(each))
            told[reading.label] = Cell("" if list(_pictures(value)) else _text(reading.name, value), small)
    return told


def _pictures(value: Any) -> Iterator[Mapping[str, Any]]:
    """All evidence in a value."""
    if isinstance(value, Mapping):
        if value.keys() >= PICTURE:
            yield value
        value = list(value.values())
    for inner in value if isinstance(value, list | tuple) else ():
        yield from _pictures(inner)


def _is_large(picture: Mapping[str, Any]) -> bool:
    return bool(picture["role"] == LARGE)


def _text(name: str, value: Any) -> str:
    """A value within a cell as text, in the unit that its name tells."""
    if value is None:
        return "–"
    if isinstance(value, int | str):
        return in_words(value)
    if isinstance(value, float):
        return in_words(value, unit_of(name))
    if isinstance(value, Mapping):
        told = readings({str(key): each for key, each in value.items()})
        return ", ".join(f"{_inside(each.label)} {_reading(each)}" for each in told)
    if len(value) == 2 and all(isinstance(each, float) for each in value):
        return " to ".join(_text(name, each) for each in value)
    return "; ".join(_text(name, each) for each in value)


def _reading(reading: Reading) -> str:
    simple = reading.value is None or isinstance(reading.value, str | int | float)
    return (reading.whole or "–") if simple else _text(reading.name, reading.value)


def _inside(label: str) -> str:
    """A label within a sentence; abbreviations stay as they are."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]
