"""torchvision architectures with the user's own weights; nothing is ever downloaded and no pickle is ever run."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import torch
import torchvision
from torch import nn

from atlas_core.errors import ModelError
from atlas_core.models.base import ReadBlob, blob_digest
from atlas_core.models.traced import TracedModel, trace_model
from atlas_core.models.weights import load_weights, read_state

if TYPE_CHECKING:
    from atlas_core.cards import ModelCard

# the initialisation that loading throws away takes these most of a minute
SLOW_TO_INITIALISE = ("googlenet", "inception_v3", "vgg")
# any of these would fetch weights over the network
FETCHING_ARGUMENTS = ("weights", "weights_backbone", "pretrained", "pretrained_backbone", "progress")


def load_torchvision(card: ModelCard, read_blob: ReadBlob) -> TracedModel:
    """Build the architecture, load the weights, trace.

    Raises:
        ModelError: Unknown architecture, arguments it does not take, weights that are a pickle or do not match.
    """
    module = build(card)
    load_weights(module, read_state(read_blob(blob_digest(card.weights))), f"{card.name} ({card.architecture})")
    return trace_model(module, card)


def build(card: ModelCard) -> nn.Module:
    """The architecture of a card with unspecified weights.

    Raises:
        ModelError: There is no such architecture, or it does not take the card's arguments.
    """
    name = str(card.architecture)
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        near = ", ".join(difflib.get_close_matches(name, known, n=3)) or "listed by torchvision.models.list_models()"
        raise ModelError(f"torchvision has no classification architecture {name!r}; the nearest are {near}")
    forbidden = [argument for argument in card.arguments if argument in FETCHING_ARGUMENTS]
    if forbidden:
        raise ModelError(f"the argument {forbidden[0]!r} would fetch weights; give them in the card's `weights`")
    arguments: dict[str, Any] = dict(card.arguments)
    if name.startswith(SLOW_TO_INITIALISE):
        arguments.setdefault("init_weights", False)
    try:
        # the caller's random numbers are no business of a model being loaded
        with torch.random.fork_rng(devices=[]):
            module: nn.Module = torchvision.models.get_model(name, weights=None, **arguments)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{name} does not take the card's arguments: {error}") from None
    return module
