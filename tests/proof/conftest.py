"""Real networks and photographs, atlases of them at full size, and a service as `atlas up` starts it."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from atlas_client.client import Client
from tests.conftest import SAID
from tests.proof import copies
from tests.tiny import ATLAS

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "benchmarks" / "out"
IMAGENET_LAYERS = ["features.5", "features.10"]
SEED = 7

Report = Callable[..., None]


@dataclass(frozen=True)
class Build:
    """An atlas that `atlas build` made."""

    directory: Path
    manifest: dict[str, Any]
    seconds: float

    def level(self, layer: str, side: int) -> dict[str, Any]:
        """The manifest's entry of a level."""
        found: dict[str, Any] = next(
            level for level in self.manifest["layers"][layer]["levels"] if level["side"] == side
        )
        return found


InRecipe = Callable[[str], Build]


@dataclass(frozen=True)
class Up:
    """A running `atlas up`."""

    url: str
    pid: int

    def worker(self) -> int:
        """Process id of the batch worker's parent."""
        found = subprocess.run(["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
        for line in found.stdout.splitlines():
            pid, parent, command = line.split(None, 2)
            if int(parent) == self.pid and "celery" in command and "gpu" in command:
                return int(pid)
        raise AssertionError("there is no batch worker")


said: list[str] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give what a test said along with its result, so that it is told whichever process ran it."""
    result = yield
    result.user_properties += [(SAID, line) for line in said]
    said.clear()
    return result


@pytest.fixture(scope="session")
def report() -> Report:
    """Puts a line into the log of the proof."""

    def put(what: str, **values: Any) -> None:
        said.append(f"{what}: " + ", ".join(f"{name} {value}" for name, value in values.items()))

    return put


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real models and photographs; not part of the project."""
    folder = Path(os.environ.get("ATLAS_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "imagenet" / "model.json").is_file():
        pytest.skip("the real models and photographs are not at hand (ATLAS_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the atlases go."""
    return tmp_path_factory.mktemp("proof")


def build_command(cards: Path, dataset: str, request: dict[str, Any], out: Path) -> list[str]:
    """The command line of a build."""
    options = [part for layer in request["layers"] for part in ("--layer", layer)]
    options += ["--samples", str(request["samples"]), "--seed", str(request["seed"]), "--recipe", request["recipe"]]
    options += ["--levels", ",".join(map(str, request["levels"]))]
    return [*ATLAS, "build", "--model", str(cards / "model.json"), "--dataset", str(cards / dataset), *options,
            "--out", str(out), "--json"]  # fmt: skip


def built(cards: Path, dataset: str, request: dict[str, Any], out: Path) -> Build:
    """Run `atlas build` to its end."""
    began = time.monotonic()
    ended = subprocess.run(build_command(cards, dataset, request, out), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return Build(out, json.loads(ended.stdout), time.monotonic() - began)


@pytest.fixture(scope="session")
def cifar_layer(shared: Path) -> str:
    """The last tensor of shape 32 x 16 x 16 of ResNet-20, a block's output."""
    command = [*ATLAS, "layers", str(shared / "cifar10" / "model.json"), "--json"]
    layers = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return str([layer["name"] for layer in layers if layer["shape"] == [32, 16, 16] and layer["block"]][-1])


@pytest.fixture(scope="session")
def imagenet_request() -> dict[str, Any]:
    """Issue 2: two layers, 20,000 samples, levels 10 and 20."""
    return {"layers": IMAGENET_LAYERS, "samples": 20_000, "levels": [10, 20], "seed": SEED, "recipe": "vivid"}


@pytest.fixture(scope="session")
def cifar_request(cifar_layer: str) -> dict[str, Any]:
    """Issue 2: the last 32 x 16 x 16 tensor, 20,000 samples."""
    return {"layers": [cifar_layer], "samples": 20_000, "levels": [10, 20], "seed": SEED, "recipe": "vivid"}


@pytest.fixture(scope="session")
def imagenet(shared: Path, work: Path, imagenet_request: dict[str, Any]) -> Build:
    """SqueezeNet on photographs, vivid."""
    return built(shared / "imagenet", "dataset.json", imagenet_request, work / "imagenet")


@pytest.fixture(scope="session")
def cifar(shared: Path, work: Path, cifar_request: dict[str, Any]) -> Build:
    """ResNet-20 on CIFAR-10's test pictures, vivid."""
    return built(shared / "cifar10", "dataset-test.json", cifar_request, work / "cifar")


@pytest.fixture(scope="session")
def tuned(shared: Path, work: Path, report: Report) -> Path:
    """Card of a copy of ResNet-20 that was trained on for a while."""
    card, losses = copies.tuned(shared / "cifar10", work / "tuned")
    report("ResNet-20, trained on", steps=copies.STEPS, loss_first=round(losses[0], 3), loss_last=round(losses[-1], 3))
    return card


def in_recipes(build: Build, cards: Path, dataset: str, request: dict[str, Any]) -> InRecipe:
    """The same atlas with other icons; everything before them is found in the copied store."""

    @functools.cache
    def made(recipe: str) -> Build:
        if recipe == request["recipe"]:
            return build
        out = build.directory.with_name(f"{build.directory.name}-{recipe}")
        shutil.copytree(build.directory / ".store", out / ".store", dirs_exist_ok=True)
        return built(cards, dataset, {**request, "recipe": recipe}, out)

    return made


@pytest.fixture(scope="session")
def imagenet_in(imagenet: Build, shared: Path, imagenet_request: dict[str, Any]) -> InRecipe:
    """The atlas of photographs in any recipe."""
    return in_recipes(imagenet, shared / "imagenet", "dataset.json", imagenet_request)


@pytest.fixture(scope="session")
def cifar_in(cifar: Build, shared: Path, cifar_request: dict[str, Any]) -> InRecipe:
    """The atlas of CIFAR-10 in any recipe."""
    return in_recipes(cifar, shared / "cifar10", "dataset-test.json", cifar_request)


@pytest.fixture(scope="session")
def up(work: Path) -> Iterator[Up]:
    """A service as `atlas up` starts it."""
    command = [*ATLAS, "up", "--data", str(work / "service"), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield Up(json.loads(process.stdout.readline())["url"], process.pid)
        finally:
            process.send_signal(signal.SIGTERM)


@pytest.fixture(scope="session")
def client(up: Up) -> Iterator[Client]:
    """A client of that service."""
    with Client(up.url) as opened:
        yield opened
