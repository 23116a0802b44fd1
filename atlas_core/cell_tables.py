"""A level's cells as a table: the same columns as CSV and as Parquet, a row a cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from atlas_core.class_names import TOP_CLASSES

Kind: TypeAlias = Literal["integer", "number", "flag", "text"]
Cell: TypeAlias = Mapping[str, Any]

WHOLE: Mapping[str, Kind] = MappingProxyType(
    {
        "column": "integer", "row": "integer", "x": "number", "y": "number", "count": "integer", "images": "integer",
        "few_images": "flag", "coherence": "number", "pair_cosine": "number",
    }
)  # fmt: skip
OF_ICONS = (
    "whitened_cosine", "robust", "retrieval_rank", "contrast", "high_frequency", "start_correlation",
    "exemplar_correlation",
)  # fmt: skip
MEASURED = ("error", "error_low", "error_high", "confidence", "calibration")
"""How right the model is in a cell; empty where nobody can tell."""
OF_CLASSES: Sequence[tuple[str, Kind]] = (("class", "text"), ("attribution", "number"))
"""Of each of the classes that a cell adds most to, the strongest first."""
COLUMNS: Mapping[str, Kind] = MappingProxyType(
    {
        **WHOLE,
        **dict.fromkeys(OF_ICONS, "number"),
        "marks": "text",
        **dict.fromkeys(MEASURED, "number"),
        **{f"{name}_{rank}": kind for rank in range(1, TOP_CLASSES + 1) for name, kind in OF_CLASSES},
    }
)


@dataclass(frozen=True)
class Form:
    """One form of the table.

    Args:
        media_type: What it is served as.
        suffix: Of its file's name.
        write: Makes it of columns as `columns` gives them.
    """

    media_type: str
    suffix: str
    write: Callable[[Mapping[str, Sequence[Any]]], bytes]


def columns(cells: Iterable[Cell], side: int, measured: Mapping[tuple[int, int], Cell]) -> dict[str, list[Any]]:
    """The columns of the table, None where something is not known.

    Args:
        cells: As in a level's cells.json.
        side: Cells a side of the level.
        measured: By (column, row) the values of `MEASURED`; a cell may be missing.
    """
    rows = [_row(cell, side, measured.get((cell["column"], cell["row"]), {})) for cell in cells]
    return {name: [row.get(name) for row in rows] for name in COLUMNS}


def _row(cell: Cell, side: int, measured: Cell) -> dict[str, Any]:
    icon = cell.get("icon") or {}
    row = {name: cell.get(name) for name in WHOLE}
    row |= {"x": (cell["column"] + 0.5) / side, "y": 1 - (cell["row"] + 0.5) / side}
    row |= {name: icon.get(name) for name in OF_ICONS}
    row |= {"marks": " ".join(icon["marks"]) if icon else None}
    row |= {name: measured.get(name) for name in MEASURED}
    for rank, one in enumerate(cell.get("classes") or (), start=1):
        row |= {f"class_{rank}": one["name"], f"attribution_{rank}": one["attribution"]}
    return row


def table_csv(table: Mapping[str, Sequence[Any]]) -> bytes:
    """The table as RFC 4180 has it, UTF-8 with a line of names; a cell is empty where something is not known."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(table)
    writer.writerows(zip(*(map(_written, values) for values in table.values()), strict=True))
    return text.getvalue().encode()


def _written(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def table_parquet(table: Mapping[str, Sequence[Any]]) -> bytes:
    """The table as a Parquet file of one row group: int64, double, boolean and string columns."""
    import pyarrow
    from pyarrow import parquet

    types = {"integer": pyarrow.int64(), "number": pyarrow.float64(), "flag": pyarrow.bool_(), "text": pyarrow.string()}
    schema = pyarrow.schema([(name, types[COLUMNS[name]]) for name in table])
    out = io.BytesIO()
    parquet.write_table(pyarrow.table(dict(table), schema=schema), out)
    return out.getvalue()


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "csv": Form("text/csv", "csv", table_csv),
        "parquet": Form("application/vnd.apache.parquet", "parquet", table_parquet),
    }
)
