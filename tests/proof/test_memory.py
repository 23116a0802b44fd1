"""Issue 2, done when 7: memory of collection does not grow with the dataset."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.proof.conftest import ROOT, Report

pytestmark = pytest.mark.proof


def test_memory_is_bounded_by_the_batch_and_not_by_the_dataset(shared: Path, cifar_layer: str, report: Report) -> None:
    cards = [str(shared / "cifar10" / name) for name in ("model.json", "dataset-train.json")]
    command = [sys.executable, str(ROOT / "benchmarks" / "memory.py"), *cards, cifar_layer]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in ended.stdout.splitlines():
        if line:
            report("memory", row=line)
    assert ended.returncode == 0, ended.stdout + ended.stderr
