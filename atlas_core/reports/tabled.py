"""What checks tell besides their findings, as tables: they give rows of named values, and nothing of how it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from atlas_core.reports.readings import in_words, unit_of

ROWS = 30


@dataclass(frozen=True)
class Table:
    """A table that is shown.

    Args:
        title: What it is of.
        columns: Names of its columns.
        rows: Its cells, as text.
        numeric: Of each column whether all in it are numbers.
        more: Rows that are not shown.
        pictures: Name and caption of each picture, in place of rows.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[bool]
    more: int = 0
    pictures: Sequence[tuple[str, str]] = ()


def tabled(name: str, value: Any) -> Table:
    """A value of a check's `tables` as a table.

    Rows are a list of mappings, or a mapping of mappings whose keys come first; a mapping of single values is a table
    of two columns. Rows with `picture` and `caption` are pictures.
    """
    title = spoken(name)
    rows = _rows(value)
    if rows and all("picture" in row for row in rows):
        shown = [(str(row["picture"]), str(row.get("caption", ""))) for row in rows]
        return Table(title, (), (), (), pictures=shown)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    numeric = [all(isinstance(row.get(each), (int, float, type(None))) for row in rows) for each in columns]
    cells = [[_cell(each, row.get(each)) for each in columns] for row in rows[:ROWS]]
    return Table(title, [spoken(each) for each in columns], cells, numeric, max(0, len(rows) - ROWS))


def spoken(name: str) -> str:
    """A name of a document as a heading."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def _rows(value: Any) -> list[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if value and all(isinstance(each, Mapping) for each in value.values()):
            return [{"name": key, **each} for key, each in value.items()]
        return [{"name": spoken(str(key)), "value": _cell(str(key), each)} for key, each in value.items()]
    if isinstance(value, (list, tuple)):
        return [each if isinstance(each, Mapping) else {"value": each} for each in value]
    return [{"value": value}]


def _cell(name: str, value: Any) -> str:
    """One value as text, in the unit that its name tells."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float, str)):
        return in_words(value, unit_of(name)) if not isinstance(value, str) else value
    if isinstance(value, Mapping):
        return ", ".join(f"{spoken(str(key)).lower()} {_cell(str(key), each)}" for key, each in value.items())
    if len(value) == 2 and all(isinstance(each, (int, float)) for each in value):
        return " to ".join(_cell(name, each) for each in value)
    return ", ".join(_cell(name, each) for each in value)
