"""A level's cells as files for spreadsheets and data frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import quote

from fastapi import Response

from atlas_core.cell_tables import FORMS, MEASURED, columns
from atlas_core.errors import ConflictError, InputError, NotFoundError
from atlas_core.keys import digest
from service.heatmaps import level_table, numbers, quality_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from service.routers.levels import Place

Format: TypeAlias = Literal["json", "csv", "parquet"]


def form_of(asked: Format | None, accept: str) -> str | None:
    """The form that is asked for by name, else by the first type in Accept that is one; None for JSON."""
    if asked is not None:
        return None if asked == "json" else asked
    types = {form.media_type: name for name, form in FORMS.items()} | {"application/json": None, "*/*": None}
    wanted = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return next((types[kind] for kind in wanted if kind in types), None)


def file_of(place: Place, cells: Sequence[Mapping[str, Any]], name: str, headers: Mapping[str, str]) -> Response:
    """Cells in a form, as a file to keep.

    Args:
        place: Their level.
        cells: Those that are asked for.
        name: Of the form.
        headers: Of the answer.
    """
    form = FORMS[name]
    data = form.write(columns(cells, place.side, _measured(place)))
    file = f"cells-{place.layer}-{place.side}.{form.suffix}"
    kept = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file, safe='')}"}
    return Response(data, headers={**headers, **kept}, media_type=form.media_type)


def tag_of(place: Place, blob: str, name: str, query: str) -> str:
    """ETag of a file: of the cells, of what is measured of them, and of what is asked."""
    quality = _quality(place)
    return f'"{digest([blob, quality and quality[0], name, query])}"'


def _measured(place: Place) -> dict[tuple[int, int], dict[str, float | None]]:
    """How right the model is, by cell; empty where it is not counted yet, or nobody can tell."""
    quality = _quality(place)
    if quality is None:
        return {}
    _, cells = level_table(place)
    values = zip(*(numbers(quality[1][name]) for name in MEASURED), strict=True)
    places = zip(cells["column"].tolist(), cells["row"].tolist(), strict=True)
    return {at: dict(zip(MEASURED, measured, strict=True)) for at, measured in zip(places, values, strict=True)}


def _quality(place: Place) -> tuple[str, Mapping[str, NDArray[Any]]] | None:
    with suppress(ConflictError, InputError, NotFoundError):
        return quality_table(place, "error")
    return None
