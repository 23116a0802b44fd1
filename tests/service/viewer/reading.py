"""What tests of the page read from it: the colour of cells on the map, and numbers in texts."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tests.service.viewer.conftest import at

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.sync_api import Page


def until(page: Page, function: str) -> None:
    """Wait until a function of the page gives true; a function, for the page's policy runs no text."""
    page.wait_for_function(f"() => {function}")


def drawn(page: Page, side: int) -> Page:
    """Wait until every tile in view of a level is painted, and what is painted is seen."""
    until(page, f"document.querySelector('.map')?.dataset.painted?.endsWith(' {side}')")
    page.wait_for_timeout(150)
    return page


def painted(page: Page, side: int, cells: list[tuple[int, int]]) -> NDArray[np.float64]:
    """The mean colour of the middle of some cells as they are seen, shape (cells, 3)."""
    shot = np.asarray(Image.open(io.BytesIO(page.locator(".map").screenshot())).convert("RGB"), np.float64)
    box = page.locator(".map").bounding_box()
    assert box is not None
    (x0, y0), (x1, _) = at(page, side, 0, 0), at(page, side, 1, 0)
    reach = (x1 - x0) / 4

    def middle(column: int, row: int) -> Any:
        x, y = x0 + (column + 0.5) * 4 * reach - box["x"], y0 + (row + 0.5) * 4 * reach - box["y"]
        return shot[int(y - reach) : int(y + reach), int(x - reach) : int(x + reach)].mean(axis=(0, 1))

    return np.array([middle(column, row) for column, row in cells])


def colour(page: Page, name: str) -> NDArray[np.float64]:
    """A colour of the page's tokens, shape (3,)."""
    told = page.evaluate(f"() => getComputedStyle(document.querySelector('.map')).getPropertyValue('{name}')")
    return np.array([float(part) for part in re.findall(r"[\d.]+", told)[:3]])


def number(text: str) -> float:
    """The first number in a text, with a typographer's minus."""
    found = re.search(r"[+−]?\d[\d.,]*", text)
    assert found, text
    return float(found[0].replace("−", "-").replace(",", ""))
