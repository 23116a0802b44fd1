"""What the wheel holds: every file of the packages that git tracks, and nothing else of the project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("atlas_client", "atlas_core", "service", "workers")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files of a wheel built now, without those that describe it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("activation_atlas-*.whl")
    with ZipFile(built) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_wheel_holds_the_packages_and_nothing_else(wheel: set[str]) -> None:
    assert {name.split("/")[0] for name in wheel} == set(PACKAGES)
    assert not {"service/Dockerfile", "workers/Dockerfile"} & wheel


def test_wheel_holds_every_tracked_file_of_the_packages(wheel: set[str]) -> None:
    listed = subprocess.run(["git", "ls-files", "-z", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True)
    tracked = {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}
    sources = {name for name in tracked if name.startswith("service/viewer/")}
    assert tracked - wheel == {"service/Dockerfile", "workers/Dockerfile"} | sources


def test_wheel_holds_the_page_and_the_demos_weights(wheel: set[str]) -> None:
    assert "service/viewer/static/index.html" in wheel
    for ending in (".js", ".css", ".js.br", ".css.gz"):
        assert any(name.startswith("service/viewer/static/assets/") and name.endswith(ending) for name in wheel)
    assert "atlas_core/reports/templates/report.css" in wheel
    assert any(name.startswith("service/demo/") and name.endswith(".safetensors") for name in wheel)
