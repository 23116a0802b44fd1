"""`atlas project --out`: the pictures of where images landed, written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from atlas_client.atlas import Atlas
from atlas_client.connection import path_of
from atlas_client.errors import BadInputError
from atlas_client.place import Place
from atlas_client.projection import Projection


def write_landings(
    answers: Sequence[dict[str, Any]], place: Place, out: Path, layer: str | None = None, level: int | None = None
) -> list[Path]:
    """Draw each image beside the level that it landed on; those that were refused have no picture.

    Args:
        answers: Each with `image`, a file's name; what it is drawn into is added as `picture`.
        place: Of the atlas.
        out: A PNG, where there is one image; else a folder, made where it is missing, that gets NAME.png of each.
        layer: Name of a layer, the first by default.
        level: Of that layer, from 0, the coarsest.

    Returns:
        The files written.

    Raises:
        BadInputError: There is no such layer or level, or a file cannot be read or written.
    """
    if out.suffix.lower() == ".png" and len(answers) > 1:
        raise BadInputError(f"{out} is one picture; name a folder to draw {len(answers)} images into")
    where = place.folder if place.folder is not None else place.url + path_of("atlases", place.id)
    written = []
    for answer, file in zip(answers, _files(answers, out), strict=True):
        if "error" in answer:
            continue
        try:
            image = Path(answer["image"]).read_bytes()
            picture = _drawn(
                Projection(answer, image, Path(answer["image"]).name, lambda: Atlas.open(where)), layer, level
            )
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(picture)
        except OSError as error:
            raise BadInputError(f"cannot draw {answer['image']} into {file}: {error.strerror}") from None
        answer["picture"] = str(file)
        written.append(file)
    return written


def _drawn(projection: Projection, layer: str | None, level: int | None) -> bytes:
    sides = projection.sides(layer)
    if level is not None and not 0 <= level < len(sides):
        raise BadInputError(f"there is no level {level}; there are levels 0 to {len(sides) - 1}")
    return projection.to_png(layer, None if level is None else sides[level])


def _files(answers: Sequence[dict[str, Any]], out: Path) -> list[Path]:
    """What each is drawn into; images of one name, from several folders, are told apart by a number."""
    if out.suffix.lower() == ".png":
        return [out] * len(answers)
    seen: Counter[str] = Counter()
    files = []
    for answer in answers:
        stem = Path(answer["image"]).stem
        seen[stem] += 1
        files.append(out / (f"{stem}.png" if seen[stem] == 1 else f"{stem}-{seen[stem]}.png"))
    return files
