"""What commands print: JSON for programs, a few plain lines for people."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from atlas_client.errors import BadInputError
from atlas_client.progress import duration, stage_counts

SHOWN_CELLS = 3
SHOWN_ICONS = 20
UNTOLD = ("width", "height", "sha256", "url", "fidelity", "marks", "retrieval_rank", "high_frequency")
WORDS = ("name", "marks")
RATES = {
    "measured": "",
    "partly-measured": "; in part assumed, some of it has not been done here yet",
    "assumed": "; assumed, no atlas has been made here yet",
}


def put(line: str = "") -> None:
    """One line on the standard output."""
    sys.stdout.write(line + "\n")


def put_json(value: Any) -> None:
    """A value as JSON on the standard output."""
    put(json.dumps(value, indent=2, ensure_ascii=False))


def put_line(value: Any) -> None:
    """A value as one line of JSON on the standard output, at once."""
    put(json.dumps(value, ensure_ascii=False))
    sys.stdout.flush()


def put_file(path: Path, data: bytes) -> None:
    """A file that was asked for.

    Raises:
        BadInputError: It cannot be written.
    """
    try:
        path.write_bytes(data)
    except OSError as error:
        raise BadInputError(f"cannot write {path}: {error.strerror}") from None


def put_error(detail: str) -> None:
    """One line on the standard error."""
    sys.stderr.write(f"atlas: error: {' '.join(detail.split())}\n")


def put_table(documents: Sequence[dict[str, Any]], *fields: str) -> None:
    """Documents as a table with a column for each field."""
    if not documents:
        put("none yet")
        return
    table = Table(box=None, pad_edge=False)
    for field in fields:
        table.add_column(field, overflow="fold", no_wrap=field == "id")
    for document in documents:
        table.add_row(*(_cell(document.get(field)) for field in fields))
    Console().print(table, soft_wrap=False)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return str(len(value))
    return "" if value is None else str(value)


def put_registered(document: dict[str, Any]) -> None:
    """A model or dataset: its id first, then what was found out."""
    put(f"{document['id']}  {document['name']}  {document['state']}")
    accuracy = document.get("accuracy")
    if accuracy:
        put(f"top-1 {accuracy['top1']:.1%}, top-5 {accuracy['top5']:.1%} of {accuracy['images']:,} images")
    for line in (*(document.get("warnings") or ()), *(document.get("reasons") or ())):
        put(f"- {line}")


def put_alias(document: dict[str, Any]) -> None:
    """An alias: what it names, then its moves, the newest first."""
    put(f"{document['name']}  {document['kind']}  {document['id']}")
    for move in document["history"]:
        put(f"  {move['moved']}  {move['id'] or 'deleted'}")


def put_job(document: dict[str, Any], url: str) -> None:
    """An atlas: its id, state, progress, and where to look at it."""
    put(f"{document['id']}  {document.get('name') or ''}  {document['state']}")
    for stage, done, total, _ in stage_counts(document):
        put(f"  {stage:<10} {done:>6} of {total}")
    if document.get("eta_seconds") is not None:
        put(f"  about {duration(document['eta_seconds'])} left")
    error = document.get("error")
    if error:
        put(f"  {error.get('detail', error)}")
    put(f"{url}/?atlas={document['id']}")


def put_icons(document: dict[str, Any], out: str) -> None:
    """Icons that were made: where they are, how they were made, and each with what it is and how true."""
    made = document["description"]
    how = "from the image given"
    if made["recipe"]:
        how = f"{made['recipe']['name']}, {'seeded from data' if made['seeded_from_data'] else 'no data in them'}"
    count = "1 picture" if len(made["pictures"]) == 1 else f"{len(made['pictures'])} pictures"
    put(f"{out}  {count}  {how}  {document['id']}")
    rows = [row for picture in made["pictures"] for row in _told(picture)]
    columns = dict.fromkeys(name for row in rows[:SHOWN_ICONS] for name, value in row.items() if value is not None)
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name.replace("_", " "), justify="left" if name in WORDS else "right", overflow="fold")
    for row in rows[:SHOWN_ICONS]:
        table.add_row(*(_cell(row.get(name)) for name in columns))
    Console().print(table)
    if len(rows) > SHOWN_ICONS:
        put(f"and {len(rows) - SHOWN_ICONS} more; --json lists all")


def _told(picture: dict[str, Any]) -> list[dict[str, Any]]:
    """What a picture is and how true, without what only programs need; of a composition, each of its cells."""
    fidelity = picture["fidelity"]
    if "cells" in fidelity:
        return [{name: _short(value) for name, value in sorted(cell.items())} for cell in fidelity["cells"]]
    marks = ", ".join(mark.replace("_", " ") for mark in fidelity.get("marks", ()))
    told = {name: _short(value) for name, value in (picture | fidelity).items() if name not in UNTOLD}
    return [told | {"marks": marks or None}]


def _short(value: Any) -> Any:
    return f"{value:.2f}" if isinstance(value, float) else value


def put_estimate(estimate: dict[str, Any]) -> None:
    """What an atlas would take, by stage and in all."""
    for stage, one in estimate["stages"].items():
        chunks = f"{one['total'] - one['done']} of {one['total']}"
        put(f"  {stage:<10} {chunks:>14} chunks  {megabytes(one['bytes']):>10}  {duration(one['cpu_seconds']):>9}")
    wall = estimate["wall_seconds"]
    when = "no workers live now" if wall is None else f"done in about {duration(wall)}"
    known = RATES[estimate["rates"]]
    spent = f"{duration(estimate['cpu_seconds'])} of processors"
    put(f"{estimate['chunks']} chunks, {megabytes(estimate['bytes'])}, {spent}; {when}{known}")


def put_event(event: dict[str, Any], *, as_json: bool) -> None:
    """An event on one line."""
    if as_json:
        put(json.dumps(event, ensure_ascii=False))
        return
    told = (f"{name}={value}" for name, value in event["data"].items() if value is not None)
    put(f"{event['type']:<8} {' '.join(told)}")


def megabytes(size: float) -> str:
    """A number of bytes for people."""
    return f"{size / 1e6:,.1f} MB"


def put_projection(answer: dict[str, Any]) -> None:
    """Where one image landed: its classes, and at each level the cells (column-row) with most of its positions."""
    if "error" in answer:
        put(f"{answer['image']}: {answer['error']}")
        return
    classes = ", ".join(f"{one['name']} {one['probability']:.1%}" for one in answer.get("classes") or ())
    put(f"{answer['image']}: {classes or 'no classes'}")
    if novelty := answer.get("novelty"):
        put(f"  {novelty['word']} as a whole: p {novelty['novelty_p']:.3g} among {novelty['n']} images of the atlas")
        if novelty["word"] != "ordinary":
            put(f"  strangest is {min(novelty['parts'].values(), key=lambda part: part['p'])['says']}")
    for name, layer in answer["layers"].items():
        positions = layer["positions"]
        for side in positions[0]["cells"] if positions else ():
            landed = Counter((place["cells"][side]["column"], place["cells"][side]["row"]) for place in positions)
            most = ", ".join(f"{column}-{row} ({count})" for (column, row), count in landed.most_common(SHOWN_CELLS))
            cells = "1 cell" if len(landed) == 1 else f"{len(landed)} cells"
            put(f"  {name}, {side} cells a side: {len(positions)} positions in {cells}; most in {most}")
    if "picture" in answer:
        put(f"  drawn: {answer['picture']}")
