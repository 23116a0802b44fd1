"""The API's image: what its extras bring along, and how large that is."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
EXTRAS = ("service", "telemetry")
MOST_BYTES = 300_000_000
HEAVY = {"torch", "torchvision", "umap-learn", "scipy", "numba", "onnx", "onnxruntime", "pynndescent"}


def _brought_along() -> set[str]:
    """Names of all distributions that the API's image needs, by what is installed here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting = [Requirement(text) for text in project["dependencies"]]
    waiting += [Requirement(text) for extra in EXTRAS for text in project["optional-dependencies"][extra]]
    seen: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        for extra in ("", *wanted.extras):
            if (wanted.name, extra) not in seen:
                seen.add((wanted.name, extra))
                below = map(Requirement, distribution(wanted.name).requires or [])
                waiting += [one for one in below if one.marker is None or one.marker.evaluate({"extra": extra})]
    return {name.lower().replace("_", "-") for name, _ in seen}


def test_the_api_needs_nothing_heavy() -> None:
    names = _brought_along()
    assert {"fastapi", "redis", "numpy", "obstore"} <= names
    assert not names & HEAVY


@pytest.mark.proof
def test_the_apis_wheels_are_small(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "--dest", str(tmp_path)]
    subprocess.run([*command, f"{ROOT}[{','.join(EXTRAS)}]"], check=True)
    assert sum(wheel.stat().st_size for wheel in tmp_path.glob("*.whl")) < MOST_BYTES
