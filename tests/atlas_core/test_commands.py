import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from atlas_core.commands import _summary, project_directory
from atlas_core.errors import AtlasError
from tests.atlas_core.conftest import TinyAtlas
from tests.tiny import ATLAS, LAYER, SHAPE, picture


def _atlas(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*ATLAS, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_layers_are_listed_with_their_shapes(tiny_cards: tuple[Path, Path]) -> None:
    ended = _atlas("layers", str(tiny_cards[0]), "--json")
    assert ended.returncode == 0, ended.stderr
    listed = json.loads(ended.stdout)
    layers = {layer["name"]: layer for layer in listed}
    assert tuple(layers[LAYER]["shape"]) == SHAPE
    assert layers["features.6"]["block"]
    assert not layers[LAYER]["block"]  # a pooling
    assert [layer["block"] for layer in listed] == sorted((layer["block"] for layer in listed), reverse=True)
    assert not any(layer["fixed"] for layer in listed)


def test_a_picture_is_placed_on_a_moved_folder(tiny_atlas: TinyAtlas, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    subprocess.run(["cp", "-r", str(tiny_atlas.directory), str(moved)], check=True)
    (tmp_path / "a.png").write_bytes(picture("disc", 90))
    (tmp_path / "b.png").write_bytes(b"no picture")
    (alone,) = project_directory(moved, [tmp_path / "a.png"])
    broken, missing, company = project_directory(moved, [tmp_path / "b.png", tmp_path / "c.png", tmp_path / "a.png"])
    assert company == alone
    assert alone["layers"][LAYER]["positions"]
    assert "no JPEG, PNG or WebP" in broken["error"]
    assert "cannot be read" in missing["error"]


def test_a_picture_that_cannot_be_read_ends_in_4(tiny_atlas: TinyAtlas, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    ended = _atlas("project", str(tiny_atlas.directory), str(tmp_path / "bad.png"))
    assert ended.returncode == 4
    assert "bad.png: " in ended.stdout
    assert "no JPEG, PNG or WebP" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_a_folder_that_is_no_atlas_is_named(tmp_path: Path) -> None:
    with pytest.raises(AtlasError, match=r"no manifest\.json"):
        list(project_directory(tmp_path, []))


@pytest.fixture(scope="module")
def opened(tiny_atlas: TinyAtlas) -> Iterator[str]:
    command = [*ATLAS, "open", str(tiny_atlas.directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[0]
        finally:
            process.terminate()


def _got(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return bytes(answer.read())


def test_an_atlas_is_opened_with_the_page_and_its_files(opened: str, tiny_atlas: TinyAtlas) -> None:
    assert b"<html" in _got(opened)
    assert json.loads(_got(opened + "manifest.json"))["id"] == tiny_atlas.manifest["id"]
    tile = f"{LAYER}/5/tiles/0-0.webp"
    assert _got(opened + tile) == (tiny_atlas.directory / tile).read_bytes()


@pytest.mark.parametrize(
    "path", [
        ".store/registry", "%2estore/registry", "%2Estore/", "%2f%2estore/registry", f"{LAYER}/5", f"{LAYER}/5/tiles/",
        "..%2f..%2fetc/passwd", "%2e%2e/%2e%2e/etc/passwd", "none",
    ],
)  # fmt: skip
def test_nothing_else_is_served(opened: str, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        _got(opened + path)


def test_opening_needs_no_torch_and_is_quick(tiny_atlas: TinyAtlas) -> None:
    script = (
        "import sys, threading, time, atlas_core.commands as c\n"
        "from pathlib import Path\n"
        f"threading.Thread(target=c.open_atlas, args=(Path({str(tiny_atlas.directory)!r}),), daemon=True).start()\n"
        "time.sleep(0.5)\n"
        "print([name for name in ('torch', 'umap', 'numba') if name in sys.modules])\n"
    )
    started = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"
    assert time.monotonic() - started < 60


def test_what_was_built_is_told_on_80_columns_with_whole_names(capsys: pytest.CaptureFixture[str]) -> None:
    demo = Path(__file__).resolve().parents[2] / "examples" / "demo-atlas"
    manifest = json.loads((demo / "manifest.json").read_text())
    _summary(manifest)
    lines = capsys.readouterr().out.splitlines()
    level = manifest["layers"]["features.7"]["levels"][1]
    (told,) = (line.split() for line in lines if line.split()[:2] == ["features.7", "10"])
    assert told[2:6] == [
        str(level["cells"]), f"{level['shown']:.1%}", f"{level['icons']['whitened_cosine']:.2f}",
        f"{level['icons']['robust']:.2f}",
    ]  # fmt: skip
    assert " ".join(told[7:]) == f"{level['icons']['low_fidelity_share']:.1%} low fidelity"
    assert max(map(len, lines)) <= 80
