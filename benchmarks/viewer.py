"""How the viewer fares at 25,600 cells: headless Chromium, drawing by the processor alone, and the real service.

    python benchmarks/viewer.py MODEL DATASET LAYER [--store FOLDER] [--seconds 5] [--pictures FOLDER]

An atlas of 25,600 cells (160 a side, also 20, 40 and 80) and some 100,000 samples is made of the cards' model and data
(viewing/made.py; minutes the first time, kept in the folder). Needs chromium and the built viewer (`make setup`).
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from atlas_client.cli import run

ROOT = Path(__file__).resolve().parents[1]

FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--enable-unsafe-swiftshader"]
WINDOW = {"width": 1280, "height": 800}
COUNT = """() => {
  const map = document.querySelector(".map");
  window.frames_ = 0;
  const moved = new MutationObserver(() => { window.frames_ += 1; });
  moved.observe(map, { attributes: true, attributeFilter: ["data-left"] });
}"""
PAINTED = "side => document.querySelector('.map')?.dataset.painted?.endsWith(` ${side}`)"
DRAWN = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"""
SEEN = "() => { localStorage.setItem('activation-atlas-guide', 'seen'); }"
Rows = list[tuple[str, str, str]]


def pan(page: Page, seconds: float) -> float:
    """Drag the map to and fro by the mouse; frames a second in which it was drawn elsewhere."""
    box = page.locator(".map").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.evaluate(COUNT)
    page.mouse.move(x, y)
    page.mouse.down()
    before, turn = time.monotonic(), 0
    while time.monotonic() - before < seconds:
        turn += 1
        angle = turn / 25
        page.mouse.move(x + 180 * np.sin(angle), y + 120 * np.sin(1.3 * angle))
    frames = page.evaluate("window.frames_")
    took = time.monotonic() - before
    page.mouse.up()
    return float(frames / took)


def watched(page: Page) -> dict[str, Any]:
    """Bytes that come over the wire, and what was not taken from the browser's cache."""
    seen: dict[str, Any] = {"bytes": 0, "asked": [], "cached": 0}
    names: dict[str, str] = {}
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.requestWillBeSent", lambda event: names.update({event["requestId"]: event["request"]["url"]}))

    def received(event: dict[str, Any]) -> None:
        if event["response"].get("fromDiskCache"):
            names.pop(event["requestId"], None)
            seen["cached"] += 1

    def loaded(event: dict[str, Any]) -> None:
        seen["bytes"] += event["encodedDataLength"]
        if event["requestId"] in names:
            seen["asked"].append(names[event["requestId"]])

    def kept(event: dict[str, Any]) -> None:
        names.pop(event["requestId"], None)
        seen["cached"] += 1

    session.on("Network.responseReceived", received)
    session.on("Network.requestServedFromCache", kept)
    session.on("Network.loadingFinished", loaded)
    return seen


class Looked:
    """What is seen in a browser, as rows of a table."""

    def __init__(self, browser: Browser, address: str, rows: Rows, seconds: float, pictures: Path | None) -> None:
        self.browser, self.address, self.rows = browser, address, rows
        self.seconds, self.pictures = seconds, pictures

    def opened(self, state: str, side: int) -> Page:
        page = self.browser.new_page(viewport=WINDOW)  # type: ignore[arg-type]
        page.add_init_script(f"({SEEN})()")
        page.goto(f"{self.address}#{state}")
        page.wait_for_function(PAINTED, arg=side, timeout=120_000)
        page.wait_for_timeout(500)
        return page

    def drag(self, name: str, goal: int, page: Page) -> None:
        self.rows.append((name, f"{pan(page, self.seconds):.0f} frames a second", f"≥ {goal}"))
        if self.pictures:
            self.pictures.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=self.pictures / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}.png")
        page.close()

    def frames(self) -> None:
        near, far = "side=160&at=0.5,0.5,4", "side=160&at=0.5,0.5,1.3"
        self.drag("25,600 cells, 160 a side, a quarter of the map's width in view", 30, self.opened(near, 160))
        self.drag("25,600 cells, 160 a side, nearly all in view", 30, self.opened(far, 160))
        self.drag("the same under the heat map of a class", 30, self.opened(f"{far}&heat=class-1&look=colours", 160))
        self.drag("the level that the zoom chooses", 30, self.opened("at=0.5,0.5,2.5", 40))
        page = self.browser.new_page(viewport=WINDOW)  # type: ignore[arg-type]
        page.add_init_script(f"({SEEN})()")
        with page.expect_response("**/points*", timeout=60_000):
            page.goto(f"{self.address}#show=points&at=0.5,0.5,1.5")
        page.wait_for_timeout(1500)
        self.drag("all samples as points", 20, page)

    def heat(self) -> None:
        """From a choice to its heat map on the screen, of all cells."""
        page = self.opened("side=160&panel=heat", 160)
        legend = page.get_by_role("region", name="Heat map")

        def chosen(label: str) -> None:
            page.get_by_role("combobox", name="A class").fill(label)
            page.keyboard.press("Enter")

        def measured(label: str) -> None:
            page.get_by_label("Or a measure").select_option(label=label)

        for what, choose, labels in (
            ("a class", chosen, ("wok", "frying pan")),
            ("a measure", measured, ("Error", "Confidence")),
        ):
            took = []
            for label in labels:
                began = time.monotonic()
                with page.expect_response(lambda answer: "levels/3/heatmap" in answer.url, timeout=120_000):
                    choose(label)
                legend.locator(".ends").wait_for()
                page.evaluate(DRAWN)
                took.append(time.monotonic() - began)
            self.rows.append((f"heat map of {what} over 25,600 cells, chosen until drawn", f"{max(took):.1f} s", ""))
        page.close()

    def transfers(self) -> None:
        context = self.browser.new_context(viewport=WINDOW)  # type: ignore[arg-type]
        context.add_init_script(f"({SEEN})()")
        for visit in ("first", "second"):
            page = context.new_page()
            seen = watched(page)
            began = time.monotonic()
            page.goto(self.address)
            page.wait_for_function(PAINTED, arg=20, timeout=60_000)
            took = time.monotonic() - began
            if visit == "first":
                self.rows.append(("bytes before the first useful picture", f"{seen['bytes'] / 1e6:.2f} MB", "< 1.5 MB"))
                page.wait_for_load_state("networkidle")  # who leaves earlier has not got all that can be kept
            else:
                page.wait_for_timeout(300)
                asked = sorted({urlsplit(one).path for one in seen["asked"] if one.startswith("http")})
                self.rows.append(("asked of the service at a second visit", " ".join(asked), "nothing immutable"))
                self.rows.append(("bytes of a second visit", f"{seen['bytes'] / 1e3:.0f} kB", ""))
            self.rows.append((f"a {visit} visit, until the first useful picture", f"{took:.1f} s", ""))
            page.close()
        context.close()


def answers(url: str, atlas: str, layer: str, rows: Rows) -> None:
    """What the service takes for the largest answers: at first, and when it is asked again."""
    level = f"{url}/v1/atlases/{atlas}/layers/{quote(layer, safe='')}"
    asked = {
        "names": f"{level}/names", "heat map of a class": f"{level}/levels/3/heatmap?class=7",
        "heat map of the error": f"{level}/levels/3/heatmap?measure=error",
        "heat map of fidelity": f"{level}/levels/3/heatmap?measure=fidelity",
        "cells of one tile": f"{level}/levels/3/cells?bbox=80,80,89,89", "all cells, JSON": f"{level}/levels/3/cells",
        **{f"all cells, {form}": f"{level}/levels/3/cells?format={form.lower()}" for form in ("CSV", "Parquet")},
    }  # fmt: skip
    for name, address in asked.items():
        took = []
        for _ in range(3):
            began = time.monotonic()
            with httpx.stream("GET", address, headers={"accept-encoding": "gzip"}, timeout=300) as answer:
                answer.raise_for_status()
                size = sum(map(len, answer.iter_raw()))
            took.append(time.monotonic() - began)
        rows.append((f"{name}, of 25,600 cells", f"{took[0]:.2f} s at first, then {min(took[1:]):.2f} s; "
                     f"{size / 1e6:.2f} MB", ""))  # fmt: skip


def exported(url: str, atlas: str, layer: str, browser: Browser, rows: Rows) -> None:
    """An offline copy, and how long it takes to open."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        if run(["export", atlas, "--out", folder, "--url", url]) != 0:
            sys.exit("the export failed")
        took = time.monotonic() - began
        sizes = [file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()]
        rows.append(("`atlas export`", f"{took:.0f} s, {sum(sizes) / 1e6:.0f} MB in {len(sizes):,} files", ""))
        for state, side in (("", 20), ("#side=160&heat=class-1", 160)):
            page = browser.new_page(viewport=WINDOW)  # type: ignore[arg-type]
            page.add_init_script(f"({SEEN})()")
            began = time.monotonic()
            page.goto(f"{(Path(folder) / 'index.html').as_uri()}{state}")
            page.wait_for_function(PAINTED, arg=side, timeout=120_000)
            rows.append((f"its page from the file system, until {side} cells a side are seen",
                         f"{time.monotonic() - began:.1f} s", ""))  # fmt: skip
            page.close()


def main() -> None:
    from benchmarks.viewing.made import made
    from benchmarks.viewing.serving import serving

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a model card")
    parser.add_argument("dataset", type=Path, help="a dataset card; 102,400 samples are asked of its images")
    parser.add_argument("layer")
    parser.add_argument("--store", type=Path, default=Path(".atlas/large"), help="folder that keeps the atlas")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each drag")
    parser.add_argument("--pictures", type=Path, help="folder for screenshots")
    told = parser.parse_args()
    binary = which("chromium") or sys.exit("no chromium on PATH: apt-get install chromium")
    atlas = made(told.model, told.dataset, told.layer, told.store).id
    rows: Rows = []
    with serving(told.store) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=FLAGS)
        looked = Looked(browser, f"{url}/?atlas={atlas}", rows, told.seconds, told.pictures)
        parts: list[Callable[[], None]] = [
            looked.transfers, looked.frames, looked.heat, lambda: answers(url, atlas, told.layer, rows),
            lambda: exported(url, atlas, told.layer, browser, rows),
        ]  # fmt: skip
        print("| what | measured | goal |\n| --- | --- | --- |")
        for part in parts:
            part()
            while rows:
                print(f"| {' | '.join(rows.pop(0))} |", flush=True)
        browser.close()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
