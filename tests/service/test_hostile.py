"""The hostile corpus over the live service: each refused, nothing run, nothing left, the next one served."""

from __future__ import annotations

import hashlib
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.hostile.archives import archives
from tests.hostile.models import networks, weights
from tests.hostile.pictures import pictures
from tests.service.stack import descendants

if TYPE_CHECKING:
    from tests.service.conftest import Live

SECONDS = 240
INPUT = {"channels": 3, "height": 32, "width": 32, "mean": [0, 0, 0], "std": [1, 1, 1]}
SPARE = 700 << 20
"""Bytes by which the most that a process ever held may grow over all of the corpus."""


class Bench:
    """The live service, asked by hand."""

    def __init__(self, live: Live) -> None:
        self.http = httpx.Client(base_url=live.service.url, timeout=120)
        self._children = live.service.children
        self.temporary = live.folder / "tmp"

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        assert self.http.put(f"/v1/blobs/{sha256}", content=data).status_code in (200, 201)
        return f"sha256:{sha256}"

    def refused(self, kind: str, card: dict[str, Any]) -> str | None:
        """Register something; its id where it is to be inspected, None where it was refused at once."""
        answer = self.http.post(f"/v1/{kind}", json={"card": card})
        assert answer.status_code in (202, 422), (card["name"], answer.text)
        return str(answer.json()["id"]) if answer.status_code == 202 else None

    def settled(self, kind: str, name: str) -> dict[str, Any]:
        deadline = time.monotonic() + SECONDS
        while (value := self.http.get(f"/v1/{kind}/{name}").json())["state"] == "inspecting":
            assert time.monotonic() < deadline, value
            time.sleep(0.1)
        found: dict[str, Any] = value
        return found

    def processes(self) -> list[int]:
        starters = [self._children.pid(name) for name in ("worker-interactive", "worker-batch", "api", "api-2")]
        found = [process for starter in starters for process in (starter, *descendants(starter))]
        return [process for process in found if b"models.confined" not in Path(f"/proc/{process}/cmdline").read_bytes()]

    def most_held(self) -> dict[int, int]:
        """The most bytes that each process ever held."""
        held = {}
        for process in self.processes():
            status = Path(f"/proc/{process}/status").read_text()
            if found := re.search(r"VmHWM:\s+(\d+) kB", status):
                held[process] = int(found[1]) << 10
        return held


@pytest.fixture(scope="module")
def bench(live: Live) -> Iterator[Bench]:
    made = Bench(live)
    before, processes, lay = made.most_held(), made.processes(), set(made.temporary.iterdir())
    yield made
    assert set(made.temporary.iterdir()) <= lay
    after = made.most_held()
    grown = {process: after[process] - before[process] for process in before if process in after}
    assert max(grown.values()) < SPARE, grown
    assert set(processes) <= set(after), "a process of the service ended"
    made.http.close()


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


def test_hostile_models_are_refused_and_run_nothing(bench: Bench, canary: Path) -> None:
    asked = {}
    for hostile in (*weights(canary), *networks()):
        place = {"source" if hostile.format == "onnx" else "weights": bench.put(hostile.data)}
        named = {} if hostile.format == "onnx" else {"architecture": "squeezenet1_1"}
        card = {"name": hostile.name, "format": hostile.format, "input": INPUT, **named, **place}
        asked[hostile.name] = bench.refused("models", card)
    for name, model in asked.items():
        found = bench.settled("models", str(model))
        assert found["state"] == "refused", name
        assert len(found["reasons"]) == 1
        assert "unexpectedly" not in found["reasons"][0], (name, found["reasons"])
        assert "/etc/passwd" not in found["reasons"][0]
    assert not canary.exists()


def test_hostile_archives_are_refused_or_their_entries_skipped(bench: Bench) -> None:
    asked = {}
    for archive in archives():
        card = {"name": archive.name.replace("\0", "0"), "source": bench.put(archive.data), "format": archive.format}
        asked[archive.name] = bench.refused("datasets", card)
    for name, dataset in asked.items():
        if dataset is not None:
            found = bench.settled("datasets", dataset)
            assert found["state"] == "refused" or found["skipped"], (name, found)
            assert "unexpectedly" not in "".join(found["reasons"]), (name, found["reasons"])
            assert "root:" not in str(found)
    assert not Path("/etc/escape.png").exists()


def test_hostile_pictures_are_refused_and_the_next_one_is_placed(
    bench: Bench, live: Live, cards: Path, canary: Path
) -> None:
    path = f"/v1/atlases/{live.atlas['id']}/projections"
    for picture in pictures(canary):
        answer = bench.http.post(path, content=picture.data, headers={"content-type": picture.kind})
        assert answer.status_code == (200 if picture.taken else 422), (picture.name, answer.text)
    answer = bench.http.post(path, content=(cards / "pictures" / "waves" / "02.png").read_bytes())
    assert answer.status_code == 200
    assert not canary.exists()


def places(port: int) -> list[str]:
    """What a server must not fetch for a stranger, a listening port of this machine among them."""
    return [
        f"http://127.0.0.1:{port}/a.zip", f"https://localhost:{port}/", f"http://2130706433:{port}/",
        f"http://[::1]:{port}/", f"http://0x7f.1:{port}/", f"ftp://127.0.0.1:{port}/a",
        f"gopher://127.0.0.1:{port}/_INFO", f"redis://127.0.0.1:{port}/0", f"s3://127.0.0.1:{port}/bucket",
        "s3://other-bucket/key", "gs://bucket/key", f"store://127.0.0.1:{port}/a", "store:///etc",
        "store://lake/../../etc", "store://lake/%2e%2e/%2e%2e/etc", "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd", "file:///proc/self/environ", f"file://127.0.0.1:{port}/etc/passwd",
        "file:///etc/../etc/shadow", f"//127.0.0.1:{port}/a", "/etc/passwd", "../../../etc/passwd",
        "sha256:../../../../etc/passwd", "sha256:" + "g" * 64, "sha256:", "data:application/zip;base64,UEsFBg==",
        "jar:file:///etc/passwd!/", "\\\\127.0.0.1\\share", "a\nb", "", " ",
    ]  # fmt: skip


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server that nobody may call."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        yield server
        with pytest.raises(TimeoutError):
            server.accept()


def test_no_field_makes_the_service_call_a_place(bench: Bench, listener: socket.socket) -> None:
    for place in places(listener.getsockname()[1]):
        model = {"name": "m", "input": INPUT}
        dataset = {"name": "d", "source": bench.put(b"key\na.png\n"), "format": "csv"}
        for kind, card in (
            ("models", {**model, "format": "onnx", "source": place}),
            ("models", {**model, "format": "torchvision", "architecture": "squeezenet1_1", "weights": place}),
            ("datasets", {"name": "d", "source": place}),
            ("datasets", {**dataset, "root": place}),
        ):
            asked = bench.refused(kind, card)
            if asked is not None:
                assert kind == "datasets"
                assert bench.settled(kind, asked)["state"] == "refused", (place, card)


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/", "http://10.0.0.1/", "http://[::ffff:10.0.0.1]/", "http://0.0.0.0/",
     "http://2130706433/", "file:///etc/passwd", "gopher://127.0.0.1/", "http://user@127.0.0.1:80/",
     "http://127.0.0.1:0/", "https://example.com/", "http://127.0.0.1.example.com/", "//127.0.0.1/",
     "http://127.0.0.1:99999/", "http://127.0.0.1/\r\nx: y", "http://é/", ""],
)  # fmt: skip
def test_no_webhook_goes_where_the_operator_does_not_let_it(bench: Bench, url: str) -> None:
    answer = bench.http.post("/v1/webhooks", json={"url": url})
    assert answer.status_code == 422, answer.text


NUMBERS: tuple[Any, ...] = (-1, 0, 10**17, 1e308, -1e308, 0.5, True, None, {})
TEXTS = ("", "\u202egnp.exe", "é" * 5000, "a/../../b", "\r\nx-a: b", "\ufeff")
LISTS: tuple[list[Any], ...] = ([], [10**17, -1], ["é", 1e308, None], [5] * 3000)
CRUDE = ("NaN", "-1e999", "9" * 400, '"\\ud800"', "[" * 5000)
FIELDS = (
    "samples", "images", "images_per_class", "levels", "seed", "model", "dataset", "layers", "recipe", "attribution",
    "layout", "anchor", "keep", "privacy", "preview", "name", "allow_sparse",
)  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_of_a_request_makes_the_service_stumble(bench: Bench, live: Live, field: str) -> None:
    for value in (*NUMBERS, *TEXTS, *LISTS):
        answer = bench.http.post("/v1/atlases", json={**live.spec, "dry_run": True, field: value})
        assert answer.status_code in (200, 404, 409, 422), (field, str(value)[:80], answer.text[:500])
    for text in CRUDE:
        body = f'{{"model": "m", "dataset": "d", "layers": ["l"], "{field}": {text}}}'
        answer = bench.http.post("/v1/atlases", content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422), (field, text[:80], answer.text[:500])


def test_the_service_still_answers(bench: Bench) -> None:
    assert bench.http.get("/readyz").status_code == 200
