"""How fast the viewer moves, and what it fetches: headless Chromium, drawing by the processor alone.

    python benchmarks/viewer.py [--seconds 5] [--pictures FOLDER]

An atlas of 25,600 cells (160 a side, also 20, 40 and 80) and 100,000 points is made up and answered by a small server
with the service's addresses, its pages and its headers. Needs chromium on PATH and the built viewer (`make setup`).
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from fastapi.testclient import TestClient
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from service.routers import viewer

SIDES, ICON, POINTS, LAYER = (20, 40, 80, 160), 64, 100_000, "mixed4d"
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--enable-unsafe-swiftshader"]
LEVEL = re.compile(r"/v1/atlases/big/layers/mixed4d/levels/(\d)/(.+)")


class Made:
    """The atlas: every cell has samples, a dozen different tiles serve all places."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self.tiles = [_tile(random) for _ in range(12)]
        self.points = _points(random)
        self.counts = {side: random.integers(3, 60, side * side) for side in SIDES}

    def tile(self, x: int, y: int) -> bytes:
        return self.tiles[(5 * x + 7 * y) % len(self.tiles)]

    def manifest(self) -> dict[str, Any]:
        levels = [
            {"side": side, "icon_size": ICON, "cells": side * side, "shown": 1.0, "icons": None} for side in SIDES
        ]
        places = [(side, x, y) for side in SIDES for x in range(side // 10) for y in range(side // 10)]
        artifacts = {
            f"{LAYER}/{side}/tiles/{x}-{y}.webp": {"sha256": hashlib.sha256(self.tile(x, y)).hexdigest()}
            for side, x, y in places
        }
        return {
            "id": "big", "digest": "d" * 64, "seed": 0, "seeded_from_data": True,
            "names": {"model": "made up", "dataset": "made up"},
            "model": {"classes": [f"class {n}" for n in range(1000)]}, "dataset": {"classes": None},
            "spec": {"model": "m", "dataset": "d", "layers": [LAYER], "levels": list(SIDES), "recipe": "vivid"},
            "layers": {LAYER: {"samples": POINTS, "images": POINTS, "levels": levels}}, "artifacts": artifacts,
        }  # fmt: skip

    def columns(self, side: int) -> dict[str, Any]:
        rows, columns = np.divmod(np.arange(side * side), side)
        return {
            "column": columns.tolist(),
            "row": rows.tolist(),
            "count": self.counts[side].tolist(),
            "value": self.counts[side].tolist(),
        }

    def cells(self, side: int, bbox: tuple[int, ...]) -> list[dict[str, Any]]:
        left, top, right, bottom = bbox
        classes = [
            {"index": n, "name": f"class {n}", "attribution": 1 / (n + 1), "share": 0.2, "images": 3} for n in range(5)
        ]
        return [
            {"column": column, "row": row, "count": int(self.counts[side][row * side + column]), "images": 3,
             "coherence": 0.5, "pair_cosine": 0.4, "classes": classes, "exemplars": [], "icon": {"marks": []}}
            for row in range(top, bottom + 1) for column in range(left, right + 1)
        ]  # fmt: skip


def _tile(random: np.random.Generator) -> bytes:
    """Icons as smooth and as colourful as real ones, so that their bytes are as many."""
    coarse = random.normal(128, 60, (80, 80, 3)).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(coarse).resize((10 * ICON, 10 * ICON), Image.Resampling.BICUBIC)
    data = io.BytesIO()
    picture.save(data, "WEBP", quality=90, method=4)
    return data.getvalue()


def _points(random: np.random.Generator) -> bytes:
    centres = random.uniform(0.1, 0.9, (40, 2))
    places = centres[random.integers(0, 40, POINTS)] + random.normal(0, 0.05, (POINTS, 2))
    classes, right = random.integers(0, 1000, (2, POINTS)), random.random(POINTS) < 0.7
    return places.clip(0, 1).astype("<f4").tobytes() + classes.astype("<i2").tobytes() + right.astype(np.int8).tobytes()


def _answer(made: Made, url: str) -> tuple[Any, bool]:
    """What an address answers: a document or bytes, and whether it may be kept."""
    path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
    if path == "/v1/atlases/big":
        manifest = made.manifest()
        return {"id": "big", "kind": "atlas", "name": None, "state": "succeeded", "spec": manifest["spec"],
                "progress": {}, "digest": manifest["digest"], "error": None, "links": {},
                "manifest": manifest}, False  # fmt: skip
    if path == "/readyz":
        return {}, False
    if path.endswith("/tour"):
        return {"version": 0, "title": "", "stops": []}, False
    if path.endswith("/points"):
        return made.points, True
    if (found := LEVEL.fullmatch(path)) is None:
        return {"items": [], "next_page_token": None}, False
    side, rest = SIDES[int(found[1])], found[2]
    if rest.startswith("tiles/"):
        x, y = map(int, rest.split("/")[1:])
        return made.tile(x, y), True
    if rest == "heatmap":
        return made.columns(side), True
    return {"items": made.cells(side, tuple(map(int, query["bbox"][0].split(",")))), "next_page_token": None}, True


@contextmanager
def served(made: Made) -> Iterator[str]:
    from fastapi import FastAPI

    app = FastAPI()
    app.include_router(viewer.router)
    pages = TestClient(app)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.startswith(("/v1/", "/readyz")):
                value, lasting = _answer(made, self.path)
                data = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
                headers = {"Cache-Control": viewer.FOREVER if lasting else "no-cache"}
                self._send(200, data, headers)
            else:
                with pages.stream("GET", self.path, headers=dict(self.headers.items())) as answer:
                    data = b"".join(answer.iter_raw())
                self._send(answer.status_code, data, {k: v for k, v in answer.headers.items() if k != "content-length"})

        def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


COUNT = """() => {
  const map = document.querySelector(".map");
  window.frames_ = 0;
  const moved = new MutationObserver(() => { window.frames_ += 1; });
  moved.observe(map, { attributes: true, attributeFilter: ["data-left"] });
}"""
PAINTED = "side => document.querySelector('.map')?.dataset.painted === `mixed4d ${side}`"


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


def opened(browser: Browser, url: str, state: str, side: int) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{url}/?atlas=big#{state}")
    page.wait_for_function(PAINTED, arg=side, timeout=120_000)
    page.wait_for_timeout(500)
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each drag")
    parser.add_argument("--pictures", type=Path, help="folder for screenshots")
    arguments = parser.parse_args()
    binary = which("chromium") or sys.exit("no chromium on PATH: apt-get install chromium")
    rows: list[tuple[str, str, str]] = []
    with served(Made()) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=FLAGS)

        def drag(name: str, goal: int, state: str, side: int, ready: str | None = None) -> None:
            page = opened(browser, url, state, side)
            if ready is not None:
                page.wait_for_function(ready, timeout=60_000)
            rate = pan(page, arguments.seconds)
            rows.append((name, f"{rate:.0f} frames a second", f"≥ {goal}"))
            if arguments.pictures:
                arguments.pictures.mkdir(parents=True, exist_ok=True)
                page.screenshot(path=arguments.pictures / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}.png")
            page.close()

        drag("25,600 cells, 160 a side, a quarter of the map's width in view", 30, "side=160&at=0.5,0.5,4", 160)
        drag("25,600 cells, 160 a side, nearly all in view", 30, "side=160&at=0.5,0.5,1.3", 160)
        drag("the level that the zoom chooses", 30, "at=0.5,0.5,2.5", 40)
        points_drag(browser, url, rows, arguments)
        transfers(browser, url, rows)
        browser.close()
    print("| what | measured | goal |\n| --- | --- | --- |")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def points_drag(browser: Browser, url: str, rows: list[tuple[str, str, str]], arguments: argparse.Namespace) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    with page.expect_response("**/points*", timeout=60_000):
        page.goto(f"{url}/?atlas=big#show=points&at=0.5,0.5,1.5")
    page.wait_for_timeout(1500)
    rows.append((f"{POINTS:,} points", f"{pan(page, arguments.seconds):.0f} frames a second", "≥ 20"))
    if arguments.pictures:
        page.screenshot(path=arguments.pictures / "points.png")
    page.close()


def transfers(browser: Browser, url: str, rows: list[tuple[str, str, str]]) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    seen = watched(page)
    page.goto(f"{url}/?atlas=big")
    page.wait_for_function(PAINTED, arg=20, timeout=60_000)
    first = seen["bytes"]
    rows.append(("bytes before the first useful picture", f"{first / 1e6:.2f} MB", "< 1.5 MB"))
    page.close()
    again = context.new_page()
    seen = watched(again)
    again.goto(f"{url}/?atlas=big")
    again.wait_for_function(PAINTED, arg=20, timeout=60_000)
    again.wait_for_timeout(300)
    asked = sorted({urlsplit(one).path for one in seen["asked"] if one.startswith("http")})
    rows.append(("asked of the service at a second visit", " ".join(asked), "nothing immutable"))
    rows.append(("bytes of a second visit", f"{seen['bytes'] / 1e3:.0f} kB", ""))
    context.close()


if __name__ == "__main__":
    main()
