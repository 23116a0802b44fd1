"""Operators' own architectures: what an installed package offers through the entry-point group `atlas.models`.

An entry point names a function that takes a card's arguments and gives a module; the weights come from the card. No
code is taken from a user: only what the operator installed beside the workers can be named.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

import torch
from torch import nn

from atlas_core.errors import ModelError
from atlas_core.models.base import ReadBlob, blob_digest
from atlas_core.models.traced import TracedModel, trace_model
from atlas_core.models.weights import load_weights, read_state

if TYPE_CHECKING:
    from atlas_core.cards import ModelCard

GROUP = "atlas.models"


def load_python(card: ModelCard, read_blob: ReadBlob) -> TracedModel:
    """Build the architecture, load the weights, trace.

    Raises:
        ModelError: Nothing of this name is installed, it cannot be built, or the weights do not match.
    """
    module = build(card)
    load_weights(module, read_state(read_blob(blob_digest(card.weights))), f"{card.name} ({card.architecture})")
    return trace_model(module, card)


def build(card: ModelCard) -> nn.Module:
    """The architecture of a card with unspecified weights.

    Raises:
        ModelError: No such entry point is installed, it fails, or gives no module.
    """
    name = str(card.architecture)
    try:
        make = _entry_point(name).load()
    except ImportError as error:
        raise ModelError(f"the architecture {name!r} is installed and cannot be imported: {error}") from None
    try:
        # the caller's random numbers are no business of a model being loaded
        with torch.random.fork_rng(devices=[]):
            module = make(**card.arguments)
    except Exception as error:  # whatever the operator's code raises
        raise ModelError(f"{name} cannot be built from the card's arguments: {error}") from None
    if not isinstance(module, nn.Module):
        raise ModelError(f"the architecture {name!r} gives {type(module).__name__} and should give a torch.nn.Module")
    return module


def _entry_point(name: str) -> EntryPoint:
    installed = entry_points(group=GROUP)
    if name not in installed.names:
        there = f"there are {', '.join(sorted(installed.names))}" if installed else "there is none"
        raise ModelError(
            f"no architecture {name!r} is installed with the workers through the entry-point group {GROUP!r}; {there}",
            pointer="/architecture",
        )
    return installed[name]
