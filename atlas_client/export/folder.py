"""An offline copy as a folder: an atlas's own files, as `atlas build` writes them, and a page with its data."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from PIL import Image

from atlas_client.atlas import TILE_SIDE
from atlas_client.connection import Document, path_of
from atlas_client.errors import BadInputError, ClientError
from atlas_client.export.answers import Answers, answers_of
from atlas_client.sources import ServiceSource

if TYPE_CHECKING:
    from atlas_client.atlas import Atlas
    from atlas_client.client import Client

READERS = 8
MOST_EXEMPLARS = 6000
"""Real patches that are kept in all: of the coarse levels, and of a finer one if those of all its cells still fit."""
QUALITY = 80
OnProgress = Callable[[int, int], None]


def export(
    atlas: Atlas, folder: Path, *, classes: int = 12, exemplars: int = 4, on_progress: OnProgress | None = None
) -> int:
    """Write an offline copy of an atlas, with a page that opens from the file system.

    Args:
        atlas: The atlas, of a service or of a folder.
        folder: Made where it is missing; must be empty.
        classes: Classes of which heat maps are kept at every level.
        exemplars: Real patches that are kept of a cell, where privacy allows and a service has them.
        on_progress: Called with files that are written and files in all.

    Returns:
        Bytes that were written.

    Raises:
        BadInputError: The folder is not empty, or cannot be written.
        ClientError: The viewer's page is not to be had.
    """
    page = page_of(atlas)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInputError(f"{folder} is there already and not empty; name a folder that is not there yet")
    kept = kept_exemplars(atlas, exemplars)
    answers = answers_of(atlas, classes, exemplars if kept else 0)
    parts = [*_own_files(atlas), *_exemplars(atlas, kept)]
    written = _write(folder, [("index.html", lambda: page), *_data(atlas, answers, kept)])
    done = 0
    with ThreadPoolExecutor(READERS) as readers:
        for size in readers.map(lambda part: _write(folder, [part]), parts):
            done, written = done + 1, written + size
            if on_progress is not None:
                on_progress(done, len(parts))
    return written


Part = tuple[str, Callable[[], bytes | None]]


def _write(folder: Path, parts: list[Part]) -> int:
    """Write files; gives their bytes."""
    total = 0
    for name, read in parts:
        data = read()
        if data is None:
            continue
        try:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        except OSError as error:
            raise BadInputError(f"cannot write {folder / name}: {error.strerror}") from None
        total += len(data)
    return total


def page_of(atlas: Atlas) -> bytes:
    """The viewer's page for offline copies: of the atlas's service, else of the package beside this one.

    Raises:
        ClientError: There is none.
    """
    if isinstance(atlas.source, ServiceSource):
        return atlas.source.client.request("GET", "/offline.html").content
    try:
        return files("service").joinpath("viewer", "static", "offline.html").read_bytes()
    except (ModuleNotFoundError, OSError):
        raise ClientError("a copy of a folder takes the viewer, which comes with activation-atlas[service]; install "
                          "that, or run `make setup` in a checkout") from None  # fmt: skip


def _own_files(atlas: Atlas) -> Iterator[Part]:
    """The files of an atlas, as `atlas build` has them."""
    yield "manifest.json", lambda: _json(atlas.manifest)
    for layer in atlas.layers:
        for side in atlas.levels(layer):
            level = f"{quote(layer, safe='')}/{side}"
            cells = atlas.raw_cells(layer, side)
            yield f"{level}/cells.json", lambda cells=cells: _json(cells)  # type: ignore[misc]
            yield f"{level}/poster.png", lambda layer=layer, side=side: atlas.source.poster(layer, side)  # type: ignore[misc]
            if atlas.icon_size(layer, side) is not None:
                for x, y in sorted({(cell["column"] // TILE_SIDE, cell["row"] // TILE_SIDE) for cell in cells}):
                    yield f"{level}/tiles/{x}-{y}.webp", lambda at=(layer, side, x, y): atlas.source.tile(*at)  # type: ignore[misc]


def kept_exemplars(atlas: Atlas, wanted: int) -> dict[str, dict[str, int]]:
    """How many real patches are kept of each cell, by layer and side of the level."""
    if not wanted or not isinstance(atlas.source, ServiceSource) or atlas.manifest["spec"].get("privacy") == "strict":
        return {}
    levels = sorted((side, layer) for layer in atlas.layers for side in atlas.levels(layer))
    kept: dict[str, dict[str, int]] = {}
    total = 0
    for side, layer in levels:
        total += sum(min(wanted, len(cell["exemplars"])) for cell in atlas.raw_cells(layer, side))
        if total > MOST_EXEMPLARS:
            break
        kept.setdefault(layer, {})[str(side)] = wanted
    return kept


def _exemplars(atlas: Atlas, kept: dict[str, dict[str, int]]) -> Iterator[Part]:
    source = atlas.source
    if not isinstance(source, ServiceSource):
        return
    for layer, sides in kept.items():
        for side, wanted in ((int(side), count) for side, count in sides.items()):
            for cell in atlas.raw_cells(layer, side):
                for number in range(min(wanted, len(cell["exemplars"]))):
                    name = f"{cell['column']}-{cell['row']}"
                    file = f"{quote(layer, safe='')}/{side}/exemplars/{name}-{number}.webp"
                    z = atlas.levels(layer).index(side)
                    path = path_of("atlases", atlas.manifest["id"], "layers", layer, "levels", z, "cells", name,
                                   "exemplars", number)  # fmt: skip
                    yield file, lambda path=path: _webp(source.client, path)  # type: ignore[misc]


def _webp(client: Client, path: str) -> bytes:
    with Image.open(io.BytesIO(client.picture(path))) as picture:
        data = io.BytesIO()
        picture.convert("RGB").save(data, "WEBP", quality=QUALITY)
    return data.getvalue()


def _data(atlas: Atlas, answers: Answers, kept: dict[str, dict[str, int]]) -> Iterator[Part]:
    """The answers as scripts, which a page of the file system may load, and their contents."""
    numbers = {address: number for number, address in enumerate(answers)}
    contents: Document = {"id": atlas.manifest["id"], "answers": numbers, "exemplars": kept}
    yield "data/index.js", lambda: b"window.atlasCopy = " + _json(contents) + b";\n"
    for address, number in numbers.items():
        answer = answers[address]
        yield f"data/{number}.js", lambda number=number, answer=answer: _script(number, answer)  # type: ignore[misc]


def _script(number: int, answer: Any) -> bytes:
    return b"window.atlasCopy.keep(%d, " % number + _json(answer) + b");\n"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
