"""What rendering is measured on, in one file: a model with its weights and the cells of some of its layers.

Written where the dataset is, read where the icons are rendered.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.cards import LayerInfo, ModelCard
from atlas_core.models.base import load_model
from atlas_core.whitening import Whitening

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.models.base import LoadedModel


@dataclass(frozen=True)
class Cells:
    """Cells of one layer; all but `judge_*` comes from one half of the images, A, and these from the other, B.

    Args:
        mean: Mean activation, shape (m, channels) float32.
        seed: Mean thumbnail in decorrelated-logit space, shape (m, 20, 20, 3) float16.
        exemplars: Thumbnails of the cell's samples nearest to its mean, shape (m, 8, 20, 20, 3) uint8; a cell with
            fewer repeats its first.
        exemplar_contrast: Their mean contrast, shape (m,) float32.
        patches: What the receptive field of the nearest of these shows, a WebP picture as of `served.encode`.
        patch_size: Side of these in pixels, shape (1,) int64.
        white_mean: The layer's whitening, shape (channels,) float32.
        white_matrix: Shape (channels, channels) float32.
        colours: Of the half's thumbnails, shape (3, 3) float32.
        inverse: Of the uncentred second moment, shrunk as the whitening is, shape (channels, channels) float32.
        judge_mean: Mean activation of the second network at the cell's places, shape (m, its channels) float32.
        judge_white_mean: The second network's whitening there.
        judge_white_matrix: The same.
    """

    mean: NDArray[np.float32]
    seed: NDArray[np.float16]
    exemplars: NDArray[np.uint8]
    exemplar_contrast: NDArray[np.float32]
    patches: NDArray[np.uint8]
    patch_size: NDArray[np.int64]
    white_mean: NDArray[np.float32]
    white_matrix: NDArray[np.float32]
    colours: NDArray[np.float32]
    inverse: NDArray[np.float32]
    judge_mean: NDArray[np.float32]
    judge_white_mean: NDArray[np.float32]
    judge_white_matrix: NDArray[np.float32]

    def __len__(self) -> int:
        """Number of cells."""
        return len(self.mean)

    @property
    def whitening(self) -> Whitening:
        """Of the layer."""
        return Whitening(self.white_mean, self.white_matrix, 1.0)

    @property
    def judge_whitening(self) -> Whitening:
        """Of the second network's layer."""
        return Whitening(self.judge_white_mean, self.judge_white_matrix, 1.0)


@dataclass(frozen=True)
class Prepared:
    """A model and the cells of its layers.

    Args:
        card: The model's, resolved.
        blobs: What the card names, by SHA-256.
        layers: As the model's inspection found them, in the order asked for.
        cells: Of each of these.
        facts: Whatever the table should tell: dataset, samples, side, seed, the second network.
    """

    card: ModelCard
    blobs: dict[str, bytes]
    layers: tuple[LayerInfo, ...]
    cells: tuple[Cells, ...]
    facts: dict[str, Any]

    def model(self) -> LoadedModel:
        """The model, loaded."""
        return load_model(self.card, self.blobs.__getitem__)

    def write(self, path: Path) -> None:
        """Write the file."""
        meta = {
            "card": self.card.model_dump(mode="json"),
            "layers": [layer.model_dump(mode="json") for layer in self.layers],
            "facts": self.facts,
        }
        table: tables.Table = {"meta": _bytes(json.dumps(meta).encode())}
        table |= {f"blob/{name}": _bytes(data) for name, data in self.blobs.items()}
        for place, cells in enumerate(self.cells):
            table |= {f"{place}/{field.name}": getattr(cells, field.name) for field in fields(Cells)}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tables.pack(table))

    @classmethod
    def read(cls, path: Path) -> Prepared:
        """The inverse of `write`."""
        table = tables.unpack(path.read_bytes())
        meta = json.loads(table["meta"].tobytes())
        layers = tuple(LayerInfo.model_validate(layer) for layer in meta["layers"])
        cells = tuple(
            Cells(**{field.name: table[f"{place}/{field.name}"] for field in fields(Cells)})
            for place in range(len(layers))
        )
        blobs = {name.removeprefix("blob/"): array.tobytes() for name, array in table.items() if name[:5] == "blob/"}
        return cls(ModelCard.model_validate(meta["card"]), blobs, layers, cells, meta["facts"])


def _bytes(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, dtype=np.uint8)
