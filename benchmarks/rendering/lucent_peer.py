"""lucent as shipped, in an environment of its own: one icon after another, the whole network at 224 pixels.

Run as a program it is the child that holds lucent; torch comes from the interpreter that starts it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from benchmarks.rendering.prepared import Prepared

ROOT = Path(__file__).resolve().parents[2]
LUCENT = "torch-lucent==0.1.8"
KORNIAS = ("0.6.12", "0.5.11", "0.4.1")
"""Newest first; lucent pins at most 0.4.1 and needs `kornia.get_rotation_matrix2d`, which 0.6 and later lack."""
OTHERS = ("decorator", "tqdm", "ipython")
SIZE = 224
STEPS = 512
PROBE = """
import torch
from lucent.optvis import render, transform
transform.compose(transform.standard_transforms)(torch.rand(1, 3, 64, 64))
"""


def environment(folder: Path) -> dict[str, str]:
    """Variables under which a child finds lucent, this tree, and what this process finds by PYTHONPATH."""
    given = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder.resolve()), str(ROOT), *([given] if given else [])]),
    }


def install(folder: Path) -> str:
    """Make the environment where it is missing; the version of kornia that lucent runs with.

    Raises:
        RuntimeError: It runs with none.
    """
    chosen = folder / "kornia.txt"
    if chosen.exists():
        return chosen.read_text().strip()
    _pip(folder, "--no-deps", LUCENT)
    _pip(folder, *OTHERS)
    for version in KORNIAS:
        _pip(folder, "--no-deps", "--upgrade", f"kornia=={version}")
        probe = subprocess.run([sys.executable, "-c", PROBE], env=environment(folder), capture_output=True, check=False)
        if probe.returncode == 0:
            chosen.write_text(version)
            return version
    raise RuntimeError(f"{LUCENT} runs with none of kornia {', '.join(KORNIAS)}: {probe.stderr.decode()[-300:]}")


def _pip(folder: Path, *what: str) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), *what]
    subprocess.run(command, check=True)


def run(file: Path, layer: int, cells: list[int], seconds: float, device: str, folder: Path, out: Path) -> Any:
    """Render in a child as many of these cells as it starts in so many seconds.

    Returns:
        `icons` (k, 224, 224, 3) uint8 and `seconds` (k,).
    """
    listed = ",".join(map(str, cells))
    command = [sys.executable, str(Path(__file__)), str(file), str(layer), listed, str(seconds), device, str(out)]
    subprocess.run(command, env=environment(folder), check=True)
    with np.load(out) as found:
        return dict(found)


def whole_network(prepared: Prepared, layer: int) -> Any:
    """A model as lucent takes it: from pixels in 0..1 to logits, its layer being the module `layer`."""
    from torch import nn

    head = prepared.model().head(prepared.layers[layer].name)

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.layer = head, nn.Identity()

        def forward(self, pixels: Any) -> Any:
            state = self.head.prepare(pixels)
            return self.head.tail(self.layer(state.activations), *state.carried)

    return Whole().eval().requires_grad_(True)  # as a user's model comes


def _child(file: Path, layer: int, cells: list[int], seconds: float, device: str, out: Path) -> None:
    import torch
    from lucent.optvis import objectives, render  # type: ignore[import-not-found]

    from benchmarks.rendering.prepared import Prepared

    if device == "cpu":
        torch.set_num_threads(1)
    prepared = Prepared.read(file)
    model = whole_network(prepared, layer).to(device)
    clock = time.process_time if device == "cpu" else time.perf_counter
    began, icons, taken = time.monotonic(), list[Any](), list[float]()
    for cell in cells:
        if icons and time.monotonic() - began > seconds:
            break
        start = clock()
        torch.manual_seed(cell)
        np.random.seed(cell)
        direction = torch.as_tensor(prepared.cells[layer].mean[cell], device=device)
        goal = objectives.direction_neuron("layer", direction)
        (picture,) = render.render_vis(
            model, goal, thresholds=(STEPS,), preprocess=False, progress=False, show_image=False
        )
        shown = torch.from_numpy(picture).permute(0, 3, 1, 2)
        shown = torch.nn.functional.interpolate(shown, size=(SIZE, SIZE), mode="bilinear", align_corners=True)
        icons.append((shown[0].permute(1, 2, 0) * 255).round().clamp(0, 255).to(torch.uint8).numpy())
        taken.append(clock() - start)
    np.savez(out, icons=np.stack(icons), seconds=np.array(taken))


if __name__ == "__main__":
    _, named, place, listed, limit, where, written = sys.argv
    _child(Path(named), int(place), [int(cell) for cell in listed.split(",")], float(limit), where, Path(written))
