"""The one whitening of the product: centred and shrunk, W = (covariance + shrinkage * mean diagonal * I)^(-1/2).

The article inverts the uncentred second moment, which a single dead channel makes singular; method.md, section 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.errors import LayoutError
from atlas_core.nearest import unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHRINKAGE = 0.02


class Moments:
    """Number, sum and second moment of activations, gathered batch by batch in float64.

    Args:
        channels: Length of an activation.
    """

    def __init__(self, channels: int) -> None:
        """Start with nothing seen."""
        self.n = 0
        self.sum = np.zeros(channels)
        self.second = np.zeros((channels, channels))

    def add(self, batch: NDArray[np.floating[Any]]) -> None:
        """Take a batch, shape (n, channels), any float type.

        Raises:
            LayoutError: Another number of channels, or a value that is not finite.
        """
        if batch.ndim != 2 or batch.shape[1] != len(self.sum):
            raise LayoutError(f"a batch needs the shape (samples, {len(self.sum)}), got {batch.shape}")
        rows = batch.astype(np.float64)
        if not np.isfinite(rows).all():
            raise LayoutError("activations hold numbers that are not finite; check the model's normalisation")
        self.n += len(rows)
        self.sum += rows.sum(axis=0)
        self.second += rows.T @ rows

    def merge(self, other: Moments) -> None:
        """Take what another has gathered; merge in a fixed order where equal bytes are wanted."""
        if len(other.sum) != len(self.sum):
            raise LayoutError(f"moments of {len(other.sum)} channels do not fit {len(self.sum)}")
        self.n += other.n
        self.sum += other.sum
        self.second += other.second

    def to_tables(self) -> dict[str, NDArray[Any]]:
        """As named arrays: n (1,) int64, sum (channels,) and second (channels, channels) float64."""
        return {"n": np.array([self.n], dtype=np.int64), "sum": self.sum, "second": self.second}

    @classmethod
    def from_tables(cls, tables: dict[str, NDArray[Any]]) -> Moments:
        """The inverse of `to_tables`."""
        moments = cls(len(tables["sum"]))
        moments.n = int(tables["n"][0])
        moments.sum, moments.second = tables["sum"].copy(), tables["second"].copy()
        return moments


@dataclass(frozen=True)
class Whitening:
    """A linear map that makes the covariance nearly the identity.

    Args:
        mean: Mean activation, shape (channels,) float32.
        matrix: Symmetric W, shape (channels, channels) float32.
        condition: Largest by smallest eigenvalue of the covariance after shrinking, at least 1.
    """

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]
    condition: float

    def whiten(self, activations: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Centre and whiten activations, shape (n, channels), to float32 of the same shape."""
        whitened = (activations.astype(np.float32) - self.mean) @ self.matrix
        return whitened.astype(np.float32, copy=False)

    def directions(self, activations: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Whiten activations and divide each by its length: their dot products are whitened cosines."""
        return unit_rows(self.whiten(activations))

    def to_tables(self) -> dict[str, NDArray[Any]]:
        """As named arrays: mean, matrix and condition (1,) float64."""
        return {"mean": self.mean, "matrix": self.matrix, "condition": np.array([self.condition])}

    @classmethod
    def from_tables(cls, tables: dict[str, NDArray[Any]]) -> Whitening:
        """The inverse of `to_tables`."""
        return cls(tables["mean"], tables["matrix"], float(tables["condition"][0]))


def whitening(moments: Moments, shrinkage: float = SHRINKAGE) -> Whitening:
    """Whiten by the inverse square root of the shrunk covariance.

    Args:
        moments: Of at least 2 activations.
        shrinkage: Share of the mean variance added to every direction, above 0: a dead channel then stays harmless.

    Returns:
        The whitening.

    Raises:
        LayoutError: Fewer than 2 activations, or all of them equal.
    """
    if moments.n < 2 or shrinkage <= 0:
        raise LayoutError(f"whitening needs 2 activations and shrinkage above 0, got {moments.n} and {shrinkage}")
    mean = moments.sum / moments.n
    covariance = moments.second / moments.n - np.outer(mean, mean)
    spread = float(np.trace(covariance)) / len(mean)
    noise = 1e-12 * float(np.trace(moments.second)) / (moments.n * len(mean))
    if spread <= noise:
        raise LayoutError("all activations of the layer are equal; choose another layer")
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 0) + shrinkage * spread
    matrix = (vectors / np.sqrt(values)) @ vectors.T
    return Whitening(mean.astype(np.float32), matrix.astype(np.float32), float(values.max() / values.min()))
