"""Attribution: what a sample's activation adds to each class logit; method.md, section 2."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import fx

from atlas_core.ablation import LocalTail
from atlas_core.activations import read_pixels
from atlas_core.errors import ModelError, SpecError
from atlas_core.models.preprocessing import to_unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from atlas_core.cards import LayerInfo
    from atlas_core.datasets.dataset import Dataset
    from atlas_core.models.base import LoadedModel
    from atlas_core.models.graph import Head, HeadState
    from atlas_core.models.linear import LinearHead
    from atlas_core.tables import Table

METHODS = ("auto", "ablation", "jvp", "none")
VARIANTS = 64  # at once, fewer where the layer is large
VARIANT_VALUES = 16_000_000  # of activations, over all variants at once
VARIANTS_AN_IMAGE = 4  # an image's maps, all kept, weigh about as much as this many variants
LARGEST_HALF = 65504.0

Measure = Callable[["Places"], "Tensor"]  # attributions, shape (n, classes)


class Attributed(NamedTuple):
    """Attributions of a shard's samples in one layer.

    Attributes:
        attributions: What each sample adds to each class logit, float16, shape (n, classes); no column for none.
        method: How they were found: closed form, ablation, jvp or none.
    """

    attributions: NDArray[np.float16]
    method: str


class Places(NamedTuple):
    """Positions of some images, each of shape (n,): which image, which row, which column."""

    image: Tensor
    row: Tensor
    column: Tensor


def attribute_shard(
    model: LoadedModel,
    dataset: Dataset,
    table: Table,
    layer: LayerInfo,
    method: str = "auto",
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> Attributed:
    """Attribute the samples of a shard to every class.

    `auto` is the closed form where the head is a global mean and a linear layer, and exact ablation elsewhere: the
    logits less those with the sample's position set to zero. `jvp` is activation x gradient, the article's estimate.

    Args:
        model: The model.
        dataset: Where the images are.
        table: The layer's samples as `collect_shard` gives them.
        layer: The layer.
        method: One of METHODS.
        on_progress: Called with samples done and all of them; cancels by raising.

    Raises:
        SpecError: There is no such method.
        ModelError: The model has no logits behind the layer.
        UnsupportedOperatorError: The model cannot be converted to torch.
    """
    if method not in METHODS:
        raise SpecError(f"there is no attribution {method!r}; there are {', '.join(METHODS)}", pointer="/attribution")
    count = len(table["image"])
    if method == "none":
        return Attributed(np.zeros((count, 0), dtype=np.float16), "none")
    if model.classes is None:
        raise ModelError(f"{model.card.name} has no logits to attribute to; ask for attribution none")
    closed = model.linear_head(layer.name) if method == "auto" else None
    if closed is not None:
        return Attributed(_half(_closed_form(closed, table, layer)), "closed form")
    head = model.head(layer.name)
    measure = _jvp if method == "jvp" else ablation
    found = np.zeros((count, model.classes), dtype=np.float16)
    done = 0
    size = max(1, min(VARIANTS, VARIANT_VALUES // int(np.prod(layer.shape))))
    for state, rows, places in _prepared(model, dataset, table, head, max(1, size // VARIANTS_AN_IMAGE)):
        attribute = measure(head, state)
        for part in np.array_split(np.arange(len(rows)), -(-len(rows) // size)):
            found[rows[part]] = _half(attribute(Places(*(axis[part] for axis in places))))
            done += len(part)
            if on_progress is not None:
                on_progress(done, count)
    return Attributed(found, "jvp" if method == "jvp" else "ablation")


def _closed_form(closed: LinearHead, table: Table, layer: LayerInfo) -> Tensor:
    """Each position adds its share of the mean: weight · activation / positions."""
    activations = torch.from_numpy(table["activations"].astype(np.float32))
    attributions: Tensor = activations @ closed.weight.T / (layer.shape[1] * layer.shape[2])
    return attributions


def ablation(head: Head, state: HeadState) -> Measure:
    """Logits less those with each position set to zero."""
    if not isinstance(head.tail, fx.GraphModule):
        return full_ablation(head, state)
    tail = LocalTail(head.tail, state)
    return lambda places: tail.logits[places.image] - tail.zeroed(*places)


def full_ablation(head: Head, state: HeadState) -> Measure:
    """The same, with the whole head run for every position."""
    with torch.no_grad():
        logits = head(state, state.activations)

    @torch.no_grad()
    def attribute(places: Places) -> Tensor:
        variants = state.take(places.image)
        activations = variants.activations.clone()
        activations[torch.arange(len(activations)), :, places.row, places.column] = 0
        difference: Tensor = logits[places.image] - head(variants, activations)
        return difference

    return attribute


def _jvp(head: Head, state: HeadState) -> Measure:
    """Forward-mode derivative of the logits along each position's own activation."""

    @torch.no_grad()
    def attribute(places: Places) -> Tensor:
        variants = state.take(places.image)
        where = torch.arange(len(places.image)), slice(None), places.row, places.column
        tangent = torch.zeros_like(variants.activations)
        tangent[where] = variants.activations[where]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch's first jvp scripts its own decompositions
            derivative: Tensor = torch.func.jvp(partial(head, variants), (variants.activations,), (tangent,))[1]
        return derivative

    return attribute


def _prepared(
    model: LoadedModel, dataset: Dataset, table: Table, head: Head, images: int
) -> Iterator[tuple[HeadState, NDArray[np.int64], Places]]:
    """Some images at a time: their state, which rows of the table are theirs, and where those are."""
    owner = table["image"].astype(np.int64)
    indices = np.unique(owner)
    for start in range(0, len(indices), images):
        part = indices[start : start + images]
        pixels = [read_pixels(dataset, dataset.listing.images[index], model.card.input) for index in part]
        with torch.no_grad():
            state = head.prepare(torch.from_numpy(to_unit(np.stack(pixels))))
        rows = np.flatnonzero(np.isin(owner, part))
        axes = (np.searchsorted(part, owner[rows]), table["row"][rows], table["column"][rows])
        yield state, rows, Places(*(torch.from_numpy(axis.astype(np.int64)) for axis in axes))


def _half(values: Tensor) -> NDArray[np.float16]:
    clipped: NDArray[np.float16] = values.clamp(-LARGEST_HALF, LARGEST_HALF).to(torch.float16).numpy()
    return clipped
