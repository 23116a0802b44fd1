"""One run: so many icons of one layer by one recipe, with what they cost and what they are worth, kept in a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from atlas_core import tables
from atlas_core.likeness import highest_correlation, shrunk
from benchmarks.rendering.served import decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.featurevis.recipes import Recipe

METRICS = ("whitened_cosine", "robust", "retrieval_rank", "contrast", "high_frequency", "low_contrast")
DIGITS = 8


@dataclass(frozen=True)
class Run:
    """What was measured.

    Args:
        columns: One value an icon: `cell`, the metrics, and `gain`, a notebook's last objective.
        tile: The icons as served.
        facts: `size` in pixels; `seconds`, of every repeat; `multiply_adds`, an icon; `peak_mib`; `device`; whatever
            else the table should tell.
    """

    columns: dict[str, NDArray[Any]]
    tile: bytes
    facts: dict[str, Any]

    def __len__(self) -> int:
        """Number of icons."""
        return len(self.columns["cell"])

    @property
    def icons(self) -> NDArray[np.uint8]:
        """Decoded, shape (m, size, size, 3)."""
        return decode(self.tile, len(self), self.facts["size"])

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        facts = np.frombuffer(json.dumps(self.facts).encode(), np.uint8)
        data = tables.pack({**self.columns, "tile": np.frombuffer(self.tile, np.uint8), "facts": facts})
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(data)
        unfinished.replace(path)

    @classmethod
    def read(cls, path: Path) -> Run:
        """The inverse of `write`."""
        columns = tables.unpack(path.read_bytes())
        facts, tile = json.loads(columns.pop("facts").tobytes()), columns.pop("tile").tobytes()
        return cls(columns, tile, facts)


def version_of(options: Any) -> str:
    """A short name that changes with any option of a recipe."""
    plain = asdict(options) if hasattr(options, "__dataclass_fields__") else options
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:DIGITS]


def recipe_run(recipe: Recipe) -> str:
    """The name of a run of one of our recipes: another after any change of its version or options."""
    return f"{recipe.name}-{recipe.version}-{version_of(recipe)}"


def notebook_run(moves: str, gain: str, learning_rate: float, attempt: int) -> str:
    """The name of a run of one try of the notebook's recipe."""
    return f"notebook-{moves}-{gain}-{learning_rate}-{attempt}"


def chosen_cells(count: int, icons: int | None) -> NDArray[np.int64]:
    """All cells, or so many, at least 1, spread evenly over them."""
    if icons is None or icons >= count:
        return np.arange(count)
    return np.linspace(0, count - 1, icons).round().astype(np.int64)


def multiply_adds(work: Callable[[], Any]) -> int:
    """Multiply-adds of convolutions and matrix products that some work does, forward and backward.

    Counted by torch's FlopCounterMode as they are dispatched; it counts two operations each. Transforms, FFT and
    whatever else is no product of matrices is left out, for all recipes alike. Run it on the CPU: what a CUDA graph
    replays is not dispatched.
    """
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops()) // 2


@contextmanager
def peak_memory(device: str) -> Iterator[Callable[[], float]]:
    """The peak in MiB of what happens inside: of torch on a GPU, else of the whole process (nan where not told)."""
    status = Path("/proc/self/status")
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
    elif status.exists():
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # lets the peak begin anew

    def peak() -> float:
        if device.startswith("cuda"):
            return torch.cuda.max_memory_allocated() / 2**20
        if not status.exists():
            return float("nan")
        lines = status.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024

    yield peak


def like_exemplars(icons: NDArray[np.uint8], exemplars: NDArray[np.uint8], share: float) -> NDArray[np.float32]:
    """The highest correlation of each icon with an exemplar of its cell, over what both show.

    Args:
        icons: Shape (m, size, size, channels).
        exemplars: Thumbnails, shape (m, k, side, side, channels).
        share: Width that an icon shows by that of a thumbnail; over 1 the icon's middle is compared.

    Returns:
        Shape (m,), as in `likeness.correlation`.
    """
    side, size = exemplars.shape[2], icons.shape[1]
    shown = max(2, round(min(1.0, share) * side))
    inner = min(size, round(size / max(1.0, share)))
    edge, rim = (side - shown) // 2, (size - inner) // 2
    middles = np.ascontiguousarray(icons[:, rim : rim + inner, rim : rim + inner])
    others = exemplars[:, :, edge : edge + shown, edge : edge + shown]
    counts = np.full(len(icons), exemplars.shape[1])
    return highest_correlation(shrunk(middles, shown), others, counts)
