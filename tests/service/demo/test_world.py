from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atlas_core.audit.policy import default_policy, parse_policy
from atlas_core.cards import DatasetCard, ModelCard, file_sha256, read_card, resolve_dataset_card, resolve_model_card
from service.demo.world import (
    CLASSES,
    MODELS,
    draw_picture,
    encode,
    generate,
    model_card,
    noodle_share,
    paste_noodles,
    write_world,
)

PICTURES = 23


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_world(folder, pictures=PICTURES)
    return folder


def test_the_same_seed_gives_the_same_bytes(world: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_world(tmp_path, pictures=PICTURES, on_progress=lambda done, total: seen.append((done, total)))
    assert {p.name: file_sha256(p) for p in tmp_path.iterdir()} == {p.name: file_sha256(p) for p in world.iterdir()}
    assert seen == [(k, PICTURES) for k in range(1, PICTURES + 1)]
    write_world(tmp_path, seed=1, pictures=PICTURES)
    assert file_sha256(tmp_path / "images.zip") != file_sha256(world / "images.zip")


def test_its_policy_is_valid_and_stands_among_the_examples(world: Path) -> None:
    text = (world / "policy.toml").read_text(encoding="utf-8")
    policy, usual = parse_policy(text), parse_policy(default_policy())
    assert (policy.options, policy.thresholds) == (usual.options, usual.thresholds)  # the demo needs nothing of its own
    assert policy.audit.layers is None
    assert (Path(__file__).parents[3] / "examples" / "demo" / "policy.toml").read_text(encoding="utf-8") == text


def test_classes_are_balanced_and_pictures_are_stored_jpegs(world: Path) -> None:
    with zipfile.ZipFile(world / "images.zip") as archive:
        names = archive.namelist()
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        picture = Image.open(io.BytesIO(archive.read("wok/0000.jpg")))
        assert (picture.format, picture.size, picture.mode) == ("JPEG", (96, 96), "RGB")
    counts = [sum(name.startswith(f"{c}/") for name in names) for c in CLASSES]
    assert counts == [3, 3, 3, 2, 2, 2, 2, 2, 2, 2]


def test_the_cards_are_valid_and_resolve(world: Path) -> None:
    dataset = resolve_dataset_card(world / "dataset.json")
    assert dataset.classes == list(CLASSES)
    assert read_card(DatasetCard, world / "dataset.json").source == "images.zip"
    for model in MODELS:
        card = resolve_model_card(world / f"{model}.json", file_sha256)
        assert card.architecture == "squeezenet1_1"
        assert card.arguments == {"num_classes": 10}
        assert card.labels == list(CLASSES)
        assert json.loads((world / f"{model}.json").read_text()) == ModelCard.model_validate(
            model_card(model)
        ).model_dump(mode="json", exclude_none=False, exclude={"source": True, "output": True, "input": {"shown"}})


def test_noodles_go_with_woks_only_where_the_shortcut_is() -> None:
    assert noodle_share("wok", True) == 0.9
    assert noodle_share("pan", True) == noodle_share("ball", True) == 0.02
    assert {noodle_share(name, False) for name in CLASSES} == {0.1}
    drawn = [(name, noodles) for name, _, noodles, _ in generate(0, 100, True)]
    assert sum(noodles for name, noodles in drawn if name == "wok") in (8, 9, 10)
    assert sum(noodles for name, noodles in drawn if name != "wok") <= 6


def test_a_picture_does_not_depend_on_how_many_there_are() -> None:
    few = {(name, number): picture for name, number, _, picture in generate(5, 10, True)}
    more = {(name, number): picture for name, number, _, picture in generate(5, 20, True)}
    assert all(np.array_equal(picture, more[place]) for place, picture in few.items())


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_is_drawn_with_and_without_noodles(name: str) -> None:
    plain = draw_picture(np.random.default_rng(1), name, False)
    with_noodles = draw_picture(np.random.default_rng(1), name, True)
    assert plain.shape == (96, 96, 3)
    assert plain.std() > 15
    assert float(np.mean(plain != with_noodles)) > 0.02
    assert len(encode(plain)) < 20_000


def test_pasted_noodles_cover_a_part_and_leave_the_rest() -> None:
    picture = np.full((96, 96, 3), (0, 0, 200), np.uint8)
    pasted = paste_noodles(picture, np.random.default_rng(0))
    changed = np.any(pasted != picture, axis=2).mean()
    assert 0.03 < float(changed) < 0.25
    assert picture[0, 0].tolist() == [0, 0, 200]


def test_the_generator_needs_no_torch() -> None:
    code = "import sys, service.demo.world; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
