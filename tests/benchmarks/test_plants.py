"""Plants lie where they should, on whom they should, and the networks that learn them are written as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.auditing.cases import Case, cases, planted_pictures
from benchmarks.auditing.network import Small, network_input, write_onnx
from benchmarks.auditing.plants import BORDER, KINDS, PATCH, SIDE, Plant
from benchmarks.auditing.pools import Pool


def grey(n: int = 3) -> NDArray[Any]:
    return np.full((n, SIDE, SIDE, 3), 128, np.uint8)


def changed(kind: str, visibility: float = 1.0) -> NDArray[Any]:
    """By how much each pixel changes, shape (n, 32, 32)."""
    made = Plant(kind, visibility, 5).stamp(grey(), 0)
    found: NDArray[Any] = np.abs(made.astype(int) - 128).max(axis=3)
    return found


def test_a_patch_fills_a_square_in_one_corner() -> None:
    (rows,), (columns,) = (np.nonzero(changed("patch")[0].any(axis=axis)) for axis in (1, 0))
    assert (len(rows), int(np.ptp(rows)) + 1, len(columns), int(np.ptp(columns)) + 1) == (PATCH,) * 4
    assert {int(rows[0]), int(columns[0])} <= {1, SIDE - 1 - PATCH}


def test_a_border_is_a_frame_and_a_cast_lies_everywhere_alike() -> None:
    frame = changed("border")[0] > 0
    assert frame.sum() == SIDE**2 - (SIDE - 2 * BORDER) ** 2
    assert not frame[BORDER:-BORDER, BORDER:-BORDER].any()
    assert len(np.unique(Plant("cast", 1.0, 5).stamp(grey(1), 0).reshape(-1, 3), axis=0)) == 1
    assert changed("cast").min() > 0


def test_a_texture_has_another_phase_in_each_picture_and_no_mean() -> None:
    made = Plant("texture", 1.0, 5).stamp(grey(), 0).astype(int) - 128
    assert np.abs(made).max() >= 60
    assert np.abs(made.mean(axis=(1, 2))).max() < 8
    assert (made[0] != made[1]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_half_the_visibility_is_half_the_change(kind: str) -> None:
    np.testing.assert_allclose(changed(kind, 0.5), changed(kind) / 2, atol=1)
    assert changed(kind, 0.0).max() == 0


def test_any_beginning_of_the_list_is_even_over_the_kinds() -> None:
    found = cases()
    roles = {role: [case for case in found if case.role == role] for role in ("planted", "clean", "unused")}
    assert [len(some) for some in roles.values()] == [52, 52, 12]
    assert len({case.name for case in found}) == len(found)
    for some in roles.values():
        assert all({case.kind for case in some[start : start + 4]} == set(KINDS) for start in range(0, len(some), 4))
    assert [case.seed for case in roles["planted"]] == [case.seed for case in roles["clean"]]
    assert not {case.seed for case in found} & {case.seed for case in cases(64)}


def test_a_twin_sees_the_same_pictures_without_the_plant() -> None:
    source = Pool(np.random.default_rng(0).integers(60, 200, (400, SIDE, SIDE, 3), np.uint8), np.arange(400) % 10)
    planted, carries = planted_pictures(Case("patch", "planted", 0.6, 1.0, 3), source, 300, 0)
    twin, nothing = planted_pictures(Case("patch", "clean", 0.6, 1.0, 3), source, 300, 0)
    assert planted.labels.tolist() == twin.labels.tolist()
    assert set(planted.labels[carries]) == {3}
    assert 0.3 < carries.sum() / (planted.labels == 3).sum() < 0.9
    assert not nothing.any()
    assert ((planted.pictures != twin.pictures).any(axis=(1, 2, 3)) == carries).all()
    _, unused = planted_pictures(Case("patch", "unused", 0.3, 1.0, 3), source, 300, 0)
    assert len(set(planted.labels[unused])) == 10


def test_a_network_is_written_as_it_is(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Small(4)
    pictures = np.random.default_rng(0).integers(0, 256, (6, SIDE, SIDE, 3), np.uint8)
    with torch.no_grad():
        model.train()(network_input(pictures))  # so that its normalisations have statistics of their own
        expected = model.eval()(network_input(pictures)).numpy()
    write_onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (given,) = session.run(["logits"], {"image": network_input(pictures).numpy()})
    np.testing.assert_allclose(given, expected, atol=1e-4)
