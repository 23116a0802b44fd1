"""Where an atlas is: a local folder, or a service's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from atlas_client.errors import BadInputError

MANIFEST = "manifest.json"
ROUTE = "/v1/atlases/"


@dataclass(frozen=True)
class Place:
    """An atlas's place: a folder, or a service's URL and an id."""

    folder: Path | None = None
    url: str = ""
    id: str = ""


def place_of(atlas: str | Path, url: str = "") -> Place:
    """Tell a folder, a URL and an id apart.

    Args:
        atlas: A folder with a manifest; `http://host/?atlas=ID`; `http://host/v1/atlases/ID`; or an id.
        url: The service that an id belongs to; empty where an id is not taken.

    Raises:
        BadInputError: It is none of these.
    """
    text = str(atlas)
    if text.startswith(("http://", "https://")):
        return _place_of_url(text)
    folder = Path(atlas)
    if folder.is_dir():
        if not (folder / MANIFEST).is_file():
            raise BadInputError(f"the folder {text} holds no {MANIFEST}, so it is no atlas, or one not yet finished")
        return Place(folder=folder)
    if not url or "/" in text:
        raise BadInputError(f"there is no folder {text}; name a folder made by `atlas build`, or a service's atlas")
    return Place(url=url, id=text)


def _place_of_url(text: str) -> Place:
    parts = urlsplit(text)
    before, route, after = parts.path.partition(ROUTE)
    named = unquote(after.partition("/")[0]) if route else parse_qs(parts.query).get("atlas", [""])[0]
    if not named:
        raise BadInputError(f"{text} names no atlas; write it as http://host/?atlas=ID or http://host{ROUTE}ID")
    return Place(url=f"{parts.scheme}://{parts.netloc}{before.rstrip('/')}", id=named)
