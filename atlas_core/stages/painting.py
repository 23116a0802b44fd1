"""Pictures on request that are not icons of one size: logits, dreams and compositions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from PIL import Image, ImageOps

from atlas_core import directions
from atlas_core.datasets.decode import decode
from atlas_core.errors import ImageError
from atlas_core.featurevis.composition import Placed, centres, own_means, render_composition, shares_at
from atlas_core.featurevis.dream import direction_gain, layer_gain, render_dream
from atlas_core.featurevis.logits import render_logits
from atlas_core.featurevis.objectives import Whitener, around
from atlas_core.featurevis.recipes import canvas_size, centre_positions, recipe_named
from atlas_core.icon_plan import largest_of
from atlas_core.icons import OneCell, OneChannel, OneClass
from atlas_core.memory import Batches, is_out_of_memory
from atlas_core.models.preprocessing import read_whole, to_unit
from atlas_core.stages.ground import class_note

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import nn

    from atlas_core.featurevis.ascent import Gain
    from atlas_core.icons import Classes, Composition, Dream
    from atlas_core.models.base import LoadedModel
    from atlas_core.stages.ground import Ground

Painted: TypeAlias = "tuple[list[NDArray[np.uint8]], list[dict[str, Any]]]"
"""Pictures in the network's channels, each (height, width, channels), and what is told of each."""


def raise_logits(ground: Ground, request: Classes) -> Painted:
    """Raise logits; told are the logit and the probability that the picture reaches."""
    step = ground.step
    card, recipe = step.plan.model.card, recipe_named("pure")
    model = step.runtime.model(card)
    network = model.whole()
    first, count = step.parameters["first"], step.parameters["count"]
    labels = [int(label) for label in request.classes[first : first + count]]
    batches = Batches(len(labels), "picture")
    pictures: list[NDArray[np.uint8]] = []
    notes: list[dict[str, Any]] = []

    def some(size: int) -> NDArray[np.uint8]:
        done = len(pictures)
        part = labels[done : done + size]

        def report(steps: int) -> None:
            step.on_progress(done * recipe.steps + steps * len(part), len(labels) * recipe.steps)

        return render_logits(network, recipe, part, [ground.key] * len(part), width_of_logits=model.classes or 0,
                             input=card.input, colours=ground.colours, device=model.device, on_step=report)  # fmt: skip

    while len(pictures) < len(labels):
        made = batches.run(some, len(labels) - len(pictures))
        part = labels[len(pictures) : len(pictures) + len(made)]
        notes += _logit_notes(ground, network, made, part)
        pictures += list(made)
    return pictures, notes


@torch.inference_mode()
def _logit_notes(
    ground: Ground, network: nn.Module, pictures: NDArray[np.uint8], labels: list[int]
) -> list[dict[str, Any]]:
    """What is told of pictures of classes: the logit and the probability that each reaches."""
    device = ground.step.runtime.model(ground.step.plan.model.card).device
    logits = network(torch.from_numpy(to_unit(pictures)).to(device))
    own = range(len(labels)), labels
    reached, probabilities = logits[own].tolist(), logits.softmax(dim=1)[own].tolist()
    return [
        {**class_note(ground.step, label), "fidelity": {"logit": float(f"{logit:.5g}"), "probability": round(share, 4)}}
        for label, logit, share in zip(labels, reached, probabilities, strict=True)
    ]


def dream(ground: Ground, request: Dream) -> Painted:
    """Dream; told is how strong the image was in what was to grow, and how strong the dream is."""
    step, layer = ground.step, ground.step.layer
    card = step.plan.model.card.input
    image = read_whole(step.runtime.store.get_blob(request.image), card, largest_of(layer))
    model = step.runtime.model(step.plan.model.card)
    trunk = model.trunk(layer.name)
    _check_size(ground, trunk, *image.shape[:2])
    field = layer.receptive_field
    reach = float(min(card.height, card.width) if field is None else max(field.size))
    whiten = Whitener(ground.whitening, model.device)
    positions = centre_positions(layer, canvas_size(recipe_named("vivid"), layer, card))
    target = _target(ground, request)
    gain: Gain = layer_gain
    goals = torch.zeros(1, 1, device=model.device)
    if target is not None:
        gain = direction_gain(whiten, positions)
        goals = whiten(torch.from_numpy(target).to(model.device))[None, None, None]
    mean = torch.tensor(card.mean, dtype=torch.float32, device=model.device)
    made = _alone(lambda: render_dream(
        trunk, image, gain, goals, mean, steps=request.steps, rate=request.rate, reach=reach, colours=ground.colours,
        key=ground.key, mask=_mask(ground, request, image.shape[:2]),
        on_step=lambda done: step.on_progress(done, request.steps),
    ))  # fmt: skip
    strength = [_strength(trunk, picture, whiten, None if target is None else goals, positions)
                for picture in (image, made)]  # fmt: skip
    name = "mean_square" if target is None else "whitened_cosine"
    return [made], [{"fidelity": {f"{name}_before": strength[0], name: strength[1]}}]


def _alone(work: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Make a picture that cannot be shared out; raises MemoryLimitError where memory does not do."""
    return Batches(1, "picture").run(lambda size: work())


@torch.inference_mode()
def _check_size(ground: Ground, trunk: nn.Module, height: int, width: int) -> None:
    """Refuse a picture so small that nothing of it is left where the layer is.

    Raises:
        ImageError: It is.
    """
    card, device = ground.step.plan.model.card.input, ground.step.runtime.model(ground.step.plan.model.card).device
    try:
        trunk(torch.zeros(1, card.channels, height, width, device=device))
    except RuntimeError as error:
        if is_out_of_memory(error) or min(height - card.height, width - card.width) >= 0:
            raise
        raise ImageError(
            f"the layer {ground.step.layer.name!r} sees nothing of {width} x {height} pixels; take a picture or canvas "
            f"nearer to the model's own {card.width} x {card.height}, or an earlier layer"
        ) from None


def _target(ground: Ground, request: Dream) -> NDArray[np.float32] | None:
    """The direction to strengthen; None for the layer as a whole."""
    match request.target:
        case OneChannel(channel=channel):
            return np.asarray(directions.of_channels(ground.whitening, [channel])[0])
        case OneCell():
            return np.asarray(ground.means[ground.index(request.target)])
        case OneClass(label=label):
            return ground.class_direction(int(label))
    return None


def _mask(ground: Ground, request: Dream, size: tuple[int, ...]) -> NDArray[np.uint8] | None:
    if request.mask is None:
        return None
    picture = ImageOps.exif_transpose(decode(ground.step.runtime.store.get_blob(request.mask))).convert("L")
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BILINEAR))


@torch.inference_mode()
def _strength(
    trunk: nn.Module, picture: NDArray[np.uint8], whiten: Whitener, goals: torch.Tensor | None, positions: int
) -> float:
    """Mean square of the activations, or their mean whitened cosine with a direction over all positions."""
    activations = trunk(torch.from_numpy(to_unit(picture[None])).to(whiten.mean.device))
    if goals is None:
        return float(f"{float(activations.square().mean()):.5g}")
    seen = whiten(around(activations, positions).movedim(1, -1))
    return round(float(F.cosine_similarity(seen, goals.expand_as(seen), dim=-1).mean()), 4)


def compose(ground: Ground, request: Composition) -> Painted:
    """Render a composition; told is of each cell how near the places that are its own come to it."""
    step, layer = ground.step, ground.step.layer
    card, recipe = step.plan.model.card.input, recipe_named(str(request.recipe))
    size = int(request.size or 0)
    cells = [*request.cells, *([] if request.ground is None else [request.ground])]
    index = [ground.index(cell) for cell in cells]
    placed = Placed(
        ground.means[index],
        np.array([(cell.x, cell.y) for cell in request.cells] + [(0.5, 0.5)] * (len(cells) - len(request.cells))),
        np.array([cell.radius for cell in request.cells] + [np.inf] * (len(cells) - len(request.cells))),
        ground.level["seed"][index].astype(np.float32) if recipe.seeded else None,
    )
    canvas = min(size, canvas_size(recipe, layer, card))
    model = step.runtime.model(step.plan.model.card)
    trunk = model.trunk(layer.name)
    _check_size(ground, trunk, size, size)
    made = _alone(lambda: render_composition(
        trunk, recipe, placed, ground.whitening, size, canvas, input=card, layer=layer, colours=ground.colours,
        key=ground.key, device=model.device, on_step=lambda done: step.on_progress(done, recipe.steps),
    ))  # fmt: skip
    mean, best = _nearness(ground, model, made, placed, centre_positions(layer, canvas))
    told = [{"column": cell.column, "row": cell.row, "whitened_cosine": round(float(mean[n]), 4),
             "best": round(float(best[n]), 4)} for n, cell in enumerate(cells)]  # fmt: skip
    return [made], [{"fidelity": {"cells": told}}]


@torch.inference_mode()
def _nearness(
    ground: Ground, model: LoadedModel, picture: NDArray[np.uint8], placed: Placed, positions: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Whitened cosine of each cell with the picture: mean over the positions by how much they are its own, and best.

    The best is of the positions that are at least half as much its own as any.
    """
    whiten = Whitener(ground.whitening, model.device)
    layer = ground.step.layer
    activations = model.trunk(layer.name)(torch.from_numpy(to_unit(picture[None])).to(model.device))
    height, width = activations.shape[2:]
    shares = torch.from_numpy(shares_at(centres(layer, (height, width), len(picture), model.card.input), placed))
    seen = F.normalize(whiten(around(activations, positions)[0].flatten(1).T), dim=1)
    goals = F.normalize(whiten(torch.from_numpy(placed.targets).to(model.device)), dim=1)
    cosine = (seen @ goals.T).cpu()
    own = shares >= shares.amax(dim=0) / 2
    return own_means(shares, cosine), cosine.where(own, -1).amax(dim=0)
