"""A real browser, pages that must not err, and what they look at: a folder, and a service with a finished atlas."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from atlas_core.commands import _Pages
from tests.corners import write_corners
from tests.listening import listening
from tests.service.viewer.still import still

if TYPE_CHECKING:
    from collections.abc import Callable

    from atlas_client.client import Client
    from tests.service.conftest import Live

__all__ = ["still"]  # a fixture

ROOT = Path(__file__).parents[3]
STATIC = ROOT / "service" / "viewer" / "static"
PICTURES = ROOT / "benchmarks" / "out" / "viewer"
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
LAYERS, SIDES = ["features.4", "features.7"], [3, 6]


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve an atlas's folder with the page beside it."""
    handler = functools.partial(_Pages, directory=str(folder), page=STATIC)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with listening(server):
        yield f"http://127.0.0.1:{server.server_port}/"


def square(page: Page) -> tuple[float, float, float]:
    """Left, top and side of the whole map in pixels of the window."""
    box = page.locator(".map").bounding_box()
    assert box is not None
    left, top, size = (
        float(page.locator(".map").get_attribute(f"data-{name}") or "") for name in ("left", "top", "size")
    )
    return box["x"] + left, box["y"] + top, size


def at(page: Page, side: int, column: float, row: float) -> tuple[float, float]:
    """A place of a level in pixels of the window; its cells are counted from the top left corner."""
    left, top, size = square(page)
    return left + column / side * size, top + row / side * size


def painted(page: Page, side: int) -> Page:
    """Wait until every tile of a level that is in view is there to be seen."""
    page.wait_for_function("side => document.querySelector('.map')?.dataset.painted?.endsWith(` ${side}`)", arg=side)
    page.wait_for_timeout(60)  # what is painted is drawn in the next frame
    return page


def pixel(page: Page, x: float, y: float) -> Any:
    """Red, green and blue of the window at a place."""
    shot = page.screenshot(clip={"x": int(x), "y": int(y), "width": 1, "height": 1})
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), int)[0, 0]


@dataclass(frozen=True)
class Served:
    """A running service with a finished atlas of two layers and two levels, of labelled pictures."""

    url: str
    client: Client
    atlas: dict[str, Any]
    layers: list[str]
    sides: list[int]

    @property
    def page(self) -> str:
        """Address of its map."""
        return f"{self.url}/?atlas={self.atlas['id']}"


@pytest.fixture(scope="session")
def served(live: Live) -> Served:
    spec = {**live.spec, "layers": LAYERS, "levels": SIDES, "name": "two layers"}
    atlas = live.client.wait(live.client.submit(spec)["id"])
    assert atlas["state"] == "succeeded"
    return Served(live.service.url, live.client, atlas, LAYERS, SIDES)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    binary = which("chromium")
    if binary is None:
        pytest.skip("no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def patience() -> int:
    """Milliseconds that a page may take for what is asked of it."""
    return 10_000


@pytest.fixture
def open_page(browser: Browser, patience: int, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Open an address; the test fails where the page erred, complained, or asked another origin.

    `allow` is a pattern of complaints that the test brings about; unless it is the `first` visit, the guide was shown
    before. What is shown last is kept as a picture.
    """
    pages: list[Page] = []
    faults: list[str] = []

    def watch(page: Page, origin: str, allow: str | None) -> None:
        def complained(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning") and not (allow and re.search(allow, message.text)):
                faults.append(f"{message.text} ({message.location['url']})")

        def asked(url: str) -> None:
            if urlsplit(url).scheme in ("http", "https") and urlsplit(url).netloc != origin:
                faults.append(f"asked {url}")

        page.on("console", complained)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda sent: asked(sent.url))

    def opened(
        address: str, width: int = 1280, height: int = 800, *, scheme: str = "light", allow: str | None = None,
        first: bool = False, prepare: Callable[[Page], object] = lambda _: None, **more: Any,
    ) -> Page:  # fmt: skip
        more.setdefault("reduced_motion", "reduce")  # nothing is half-way when it is looked at
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme, **more)  # type: ignore[arg-type]
        page.set_default_timeout(patience)
        watch(page, urlsplit(address).netloc, allow)
        if not first:
            # a report's sandbox has no storage
            page.add_init_script("try { localStorage.setItem('activation-atlas-guide', 'seen'); } catch { }")
        prepare(page)
        pages.append(page)
        page.goto(address)
        return page

    yield opened
    PICTURES.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "-", request.node.name).strip("-")
    for number, page in enumerate(pages):
        if not page.is_closed():
            page.screenshot(path=PICTURES / f"{Path(request.node.path).stem}-{name}{number or ''}.png")
            page.close()
    assert faults == []


@pytest.fixture(scope="session")
def corners_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(write_corners(tmp_path_factory.mktemp("viewer") / "corners")) as address:
        yield address
