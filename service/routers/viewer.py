"""The viewer's built files: the page is asked for anew each time, the rest is named by its content and kept."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from atlas_core.errors import NotFoundError
from service.routers.levels import FOREVER, REVALIDATE, matches

FOLDER = Path(__file__).parents[1] / "viewer" / "static"
# Nothing is fetched from, sent to or framed by any other origin; pictures may be made on the page itself.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
SAFE = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
KINDS = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
ENCODINGS = {"br": ".br", "gzip": ".gz"}
NOT_BUILT = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Activation atlas</title>"
    "<h1>The viewer was not built</h1>"
    "<p>This service answers, but its page is missing. Run <code>make setup</code> in the project's folder, which needs"
    " Node.js 18 or newer, and load this page again. A wheel or an image of a release has it."
)

router = APIRouter(tags=["viewer"])


@router.get("/", summary="The viewer", operation_id="viewer", response_class=HTMLResponse)
@router.get("/index.html", include_in_schema=False)
def get_page(request: Request) -> Response:
    """The page, which names its scripts and styles by their content."""
    if not (FOLDER / "index.html").is_file():
        return HTMLResponse(NOT_BUILT, status_code=503, headers=SAFE)
    return _file(request, FOLDER / "index.html", REVALIDATE)


@router.get("/offline.html", include_in_schema=False)
def get_offline_page(request: Request) -> Response:
    """The page of offline copies, which `atlas export` puts beside an atlas's data."""
    if not (FOLDER / "offline.html").is_file():
        raise NotFoundError("the viewer was not built here, so it makes no offline copies; run make setup")
    return _file(request, FOLDER / "offline.html", REVALIDATE)


@router.get("/assets/{name}", include_in_schema=False)
def get_asset(request: Request, name: str) -> Response:
    """A script or a style."""
    path = FOLDER / "assets" / name
    if not re.fullmatch(r"[\w-]+(\.[\w-]+)+", name) or path.suffix not in KINDS or not path.is_file():
        raise NotFoundError(f"the viewer has no file {name!r}; load its page anew, it may have been updated")
    return _file(request, path, FOREVER)


def _file(request: Request, path: Path, cache: str) -> Response:
    """A file in the smallest form that was made of it and that the browser takes."""
    taken = _taken(request.headers.get("accept-encoding", ""))
    encoding = next((name for name in ENCODINGS if name in taken and Path(f"{path}{ENCODINGS[name]}").is_file()), None)
    data = Path(f"{path}{ENCODINGS[encoding]}" if encoding else path).read_bytes()
    tag = f'"{sha256(data).hexdigest()[:32]}"'
    headers: dict[str, Any] = {**SAFE, "Cache-Control": cache, "ETag": tag, "Vary": "Accept-Encoding"}
    if matches(request, tag):
        return Response(status_code=304, headers=headers)
    if encoding:
        headers["Content-Encoding"] = encoding
    return Response(data, headers=headers, media_type=KINDS[path.suffix])


def _taken(accept: str) -> set[str]:
    """Encodings that a browser takes; `br;q=0` refuses one."""
    parts = [part.replace(" ", "").partition(";") for part in accept.lower().split(",")]
    return {name for name, _, weight in parts if not re.fullmatch(r"q=0(\.0*)?", weight)}
