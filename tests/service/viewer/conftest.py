"""A real browser, and pages served as `atlas open` serves them."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from atlas_core.commands import _Pages
from tests.corners import write_corners

if TYPE_CHECKING:
    from collections.abc import Callable

STATIC = Path(__file__).parents[3] / "service" / "viewer" / "static"
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve an atlas's folder with the page beside it."""
    handler = functools.partial(_Pages, directory=str(folder), page=STATIC)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def at(page: Page, side: int, column: float, row: float) -> tuple[float, float]:
    """A place of a level in pixels of the window; its cells are counted from the top left corner."""
    box = page.locator("#map").bounding_box()
    assert box is not None
    left, top, size = (
        float(page.locator("#map").get_attribute(f"data-{name}") or "") for name in ("left", "top", "size")
    )
    return box["x"] + left + column / side * size, box["y"] + top + row / side * size


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    binary = which("chromium")
    if binary is None:
        pytest.skip("no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open an address; the test fails where the page had an error of its own."""
    pages: list[Page] = []
    errors: list[str] = []

    def opened(address: str, width: int = 1100, height: int = 700, *, scheme: str = "light") -> Page:
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert errors == []


@pytest.fixture(scope="session")
def corners_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(write_corners(tmp_path_factory.mktemp("viewer") / "corners")) as address:
        yield address
