from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from atlas_client import project
from atlas_client.cli import run
from tests.landed import LAYER, answer, image


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> None:
    """A core that answers for every image but those named wrong."""

    def project_directory(folder: Path, images: list[Path]) -> list[dict[str, Any]]:
        del folder
        return [
            {"image": str(name), **({"error": "no image"} if "wrong" in name.name else answer())} for name in images
        ]

    monkeypatch.setattr(project, "core_commands", lambda command: SimpleNamespace(project_directory=project_directory))


def pictures(folder: Path, *names: str) -> list[str]:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(image())
    return [str(folder / name) for name in names]


def test_one_image_is_drawn_into_a_file(
    core: None, corners: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (one,) = pictures(tmp_path, "one.jpg")
    out = tmp_path / "new" / "landing.png"
    assert run(["project", str(corners), one, "--out", str(out), "--layer", LAYER, "--level", "0"]) == 0
    assert f"drawn: {out}" in capsys.readouterr().out
    with Image.open(out) as picture:
        assert picture.width > picture.height > 900


def test_more_images_are_drawn_into_a_folder_and_refused_ones_are_not(
    core: None, corners: Path, tmp_path: Path
) -> None:
    images = pictures(tmp_path, "a/same.jpg", "b/same.jpg", "wrong.jpg")
    assert run(["project", str(corners), *images, "--out", str(tmp_path / "drawn")]) == 4
    assert sorted(file.name for file in (tmp_path / "drawn").iterdir()) == ["same-2.png", "same.png"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--out", "one.png"], "name a folder to draw 2 images into"),
        (["--out", "drawn", "--level", "7"], "levels 0 to 1"),
        (["--out", "drawn", "--layer", "other"], "no layer 'other'"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    core: None, corners: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    options: list[str], words: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run(["project", str(corners), *pictures(tmp_path, "a.jpg", "b.jpg"), *options]) == 4
    assert words in capsys.readouterr().err
