"""Attribution: what a sample's activation adds to each class logit; method.md, section 2."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import fx
from torch.nn.attention import SDPBackend, sdpa_kernel

from atlas_core.ablation import LocalTail
from atlas_core.errors import ModelError, SpecError
from atlas_core.memory import Batches
from atlas_core.models.preprocessing import read_pixels, to_unit
from atlas_core.tables import LARGEST_HALF

if TYPE_CHECKING:
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

Measure = Callable[["Places"], "Tensor"]  # attributions, shape (n, classes)


class Attributed(NamedTuple):
    """Attributions of a shard's samples in one layer.

    Attributes:
        attributions: What each sample adds to each class logit, float16, shape (n, classes); no column for none.
        method: How they were found: closed form, ablation, jvp or none.
        halved: Variants at once in the end, where memory did not do for the usual ones.
    """

    attributions: NDArray[np.float16]
    method: str
    halved: int | None = None


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
        MemoryLimitError: Memory does not do for a single sample.
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
    found = np.zeros((count, model.classes), dtype=np.float16)
    task = _Task(model, dataset, table, head, _jvp if method == "jvp" else ablation, found, on_progress)
    batches = Batches(max(1, min(VARIANTS, VARIANT_VALUES // int(np.prod(layer.shape)))), "sample of an image")
    while len(task.left):
        batches.run(task.run)
    return Attributed(found, "jvp" if method == "jvp" else "ablation", batches.halved)


def _closed_form(closed: LinearHead, table: Table, layer: LayerInfo) -> Tensor:
    """Each position adds its share of the mean: weight · activation / positions."""
    activations = torch.from_numpy(table["activations"].astype(np.float32)).to(closed.weight.device)
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
        activations[torch.arange(len(activations), device=activations.device), :, places.row, places.column] = 0
        difference: Tensor = logits[places.image] - head(variants, activations)
        return difference

    return attribute


def _jvp(head: Head, state: HeadState) -> Measure:
    """Forward-mode derivative of the logits along each position's own activation."""

    @torch.no_grad()
    def attribute(places: Places) -> Tensor:
        variants = state.take(places.image)
        where = torch.arange(len(places.image), device=places.image.device), slice(None), places.row, places.column
        tangent = torch.zeros_like(variants.activations)
        tangent[where] = variants.activations[where]
        with warnings.catch_warnings(), _plain_attention():
            warnings.simplefilter("ignore", FutureWarning)  # torch's first jvp scripts its own decompositions
            derivative: Tensor = torch.func.jvp(partial(head, variants), (variants.activations,), (tangent,))[1]
        return derivative

    return attribute


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Attention as products and a softmax: torch's fused kernels have no forward-mode derivative."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


class _Task:
    """The samples of a table, some images at a time."""

    def __init__(
        self,
        model: LoadedModel,
        dataset: Dataset,
        table: Table,
        head: Head,
        measure: Callable[[Head, HeadState], Measure],
        found: NDArray[np.float16],
        on_progress: Callable[[int, int], None] | None,
    ) -> None:
        self.model, self.dataset, self.table, self.head, self.measure = model, dataset, table, head, measure
        self.found = found
        self.owner = table["image"].astype(np.int64)
        self.left = np.unique(self.owner)
        self.report = on_progress or (lambda done, total: None)
        self.done = 0

    def run(self, size: int) -> None:
        """Attribute the samples of the next images, `size` variants at once; all of them again after a failure."""
        part = self.left[: max(1, size // VARIANTS_AN_IMAGE)]
        state, rows, places = self._prepared(part)
        attribute = self.measure(self.head, state)
        done = 0
        for some in np.array_split(np.arange(len(rows)), -(-len(rows) // size)):
            self.found[rows[some]] = _half(attribute(Places(*(axis[some] for axis in places))))
            done += len(some)
            self.report(self.done + done, len(self.owner))
        self.done += done
        self.left = self.left[len(part) :]

    def _prepared(self, part: NDArray[np.int64]) -> tuple[HeadState, NDArray[np.int64], Places]:
        """The state of some images, which rows of the table are theirs, and where those are."""
        images = self.dataset.listing.images
        pixels = [read_pixels(self.dataset.read(images[index]), self.model.card.input) for index in part]
        with torch.no_grad():
            state = self.head.prepare(torch.from_numpy(to_unit(np.stack(pixels))).to(self.model.device))
        rows = np.flatnonzero(np.isin(self.owner, part))
        axes = (np.searchsorted(part, self.owner[rows]), self.table["row"][rows], self.table["column"][rows])
        return state, rows, Places(*(torch.from_numpy(axis.astype(np.int64)).to(self.model.device) for axis in axes))


def _half(values: Tensor) -> NDArray[np.float16]:
    clipped: NDArray[np.float16] = values.clamp(-LARGEST_HALF, LARGEST_HALF).to(torch.float16).cpu().numpy()
    return clipped
