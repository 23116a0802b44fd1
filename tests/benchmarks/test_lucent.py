"""The part around lucent that needs no lucent: its environment, and the network it is given."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from benchmarks.rendering.lucent_peer import ROOT, environment, whole_network
from benchmarks.rendering.prepared import Prepared
from tests.tiny import LAYER

if TYPE_CHECKING:
    import pytest


def test_its_environment_comes_first_and_this_tree_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert environment(tmp_path)["PYTHONPATH"].split(os.pathsep) == [str(tmp_path), str(ROOT), "/elsewhere"]
    monkeypatch.delenv("PYTHONPATH")
    assert environment(tmp_path)["PYTHONPATH"].split(os.pathsep) == [str(tmp_path), str(ROOT)]


def test_it_is_given_the_whole_network_with_the_layer_as_a_module(prepared_file: Path) -> None:
    prepared = Prepared.read(prepared_file)
    whole, seen = whole_network(prepared, 0), []
    whole.layer.register_forward_hook(lambda module, given, out: seen.append(out))
    pixels = torch.rand(1, 3, 64, 64)
    model = prepared.model()
    _, logits = model.activations(pixels.numpy(), [], logits=True)
    torch.testing.assert_close(whole(pixels).detach(), torch.from_numpy(logits), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(seen[0].detach(), model.trunk(LAYER)(pixels))
    assert all(parameter.requires_grad for parameter in whole.parameters())
