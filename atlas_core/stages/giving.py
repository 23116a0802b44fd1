"""What gives properties of classes to pictures, and looks at what the network makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.audit import traits
from atlas_core.audit.associations import having
from atlas_core.audit.pasting import answers, chance
from atlas_core.audit.properties import SCREENING, Options
from atlas_core.audit.suspects import balanced
from atlas_core.audit.traits import COLOUR, PLACES, SHARPNESS, TRAITS, Statistics, places
from atlas_core.memory import Batches
from atlas_core.stages.bench import Bases, Bench
from atlas_core.stages.step import Step, marked
from atlas_core.stages.traits import AT_ONCE, Donors, statistics_of, unpacked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core import tables

ASSOCIATED = 0.56
"""Separation under which a trait does not go with a class: nobody can have learned to see the one in the other."""
TWICE = 2
BATCH = 32


class Trial:
    """What all parts of the check agree on, and what they give and look at.

    Args:
        step: A step of the check.
    """

    def __init__(self, step: Step) -> None:
        self.step = step
        self.options = Options(**step.parameters["options"])
        self.seed: int = step.parameters["seed"]
        self.bench = Bench(step, step.parameters["base"], self.seed)
        self.donors = Donors(step)
        self.model = step.runtime.model(step.plan.model.card)
        self.batches = Batches(BATCH, "image")
        self.passes = 0
        self._pictures: dict[int, tuple[NDArray[np.int64], NDArray[np.uint8]]] = {}
        self._rest: dict[tuple[int, bool], Statistics] = {}

    @cached_property
    def _described(self) -> dict[str, Any]:
        return self.step.inputs("publish", step="traits")[0]

    @cached_property
    def pairs(self) -> tables.Table:
        """Every class with every trait, those that go together most first."""
        empty = {"class": np.zeros(0, np.int64), "trait": np.zeros(0, np.int64), "separation": np.zeros(0),
                 "beyond": np.zeros(0)}  # fmt: skip
        return self.step.table(self._described, "pairs") if self._described["blobs"] else empty

    @property
    def candidates(self) -> int:
        """Pairs that go together, of which the budget is for the first ones."""
        return int((self.pairs["separation"] >= ASSOCIATED).sum())

    @property
    def screened(self) -> int:
        """Pairs that are given in the first stage."""
        return min(self.candidates, int(SCREENING * self.step.parameters["passes"] / self.options.screen))

    def _read(self, name: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        if name not in self._pictures:
            self._pictures[name] = self.donors.read(name)[:2]
        return self._pictures[name]

    def pictures(self, name: int) -> NDArray[np.uint8]:
        """The donors of a class."""
        return self._read(name)[1]

    def having(self, name: int, trait: int) -> NDArray[np.uint8]:
        """Those of a class's donors that have what goes with it."""
        rows, pictures = self._read(name)
        return pictures[having(self._score(rows, trait))]

    def _score(self, rows: NDArray[np.int64], trait: int) -> NDArray[np.float32]:
        """How much donors have it, by rows of those that are labelled."""
        table = self.step.table(self._described, "donors")
        order = np.argsort(table["image"])
        found = order[np.searchsorted(table["image"], self.donors.place[rows], sorter=order)]
        score: NDArray[np.float32] = table["score"][found, trait]
        return score

    def rest(self, name: int, *, around: bool) -> Statistics:
        """What the donors of all other classes are like, or what lies around their middles."""
        if (name, around) not in self._rest:
            total = unpacked(self.step.table(self._described, "around" if around else "whole"))
            self._rest[name, around] = total - statistics_of(self.pictures(name), around=around)
        return self._rest[name, around]

    def recipients(self, bases: Bases, name: int, trait: int, most: int) -> NDArray[np.int64]:
        """Base images of other classes, as evenly of each as there are, each at most twice.

        Once, where what is given hangs on no chance: the same picture given the same again is no second trial.
        """
        random = chance("recipients", self.seed, name, trait)
        mixed = random.permutation(np.flatnonzero(bases.label != name))
        turns = 1 if TRAITS[trait] in (COLOUR, SHARPNESS) else TWICE
        return np.tile(mixed[balanced(bases.label[mixed], len(mixed))], turns)[:most]

    def given(
        self, pictures: NDArray[np.uint8], name: int, trait: int, *said: Any, around: bool = False
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Pictures with a class's trait, and the donor that each has it from, -1 where it is learned of all donors.

        Args:
            pictures: To give it to.
            name: Index of the class.
            trait: Place in `TRAITS`.
            said: What this is called, which its random numbers come from.
            around: Learn what all of a picture has from what lies around the middles of the donors alone.
        """
        kind, random = TRAITS[trait], chance("give", self.seed, name, trait, *said)
        donors = self.having(name, trait)
        if kind in PLACES:
            chosen = np.resize(random.permutation(len(donors)), len(pictures))
            usual = self.step.table(self._described, "usual")["usual"]
            same = traits.shared(donors, usual, places(*pictures.shape[1:3])[kind])
            return traits.put_back(pictures, donors[chosen], same), chosen
        mine, rest = statistics_of(donors, around=around), self.rest(name, around=around)
        made = [self._everywhere(kind, pictures[first : first + AT_ONCE], mine, rest, random)
                for first in range(0, len(pictures), AT_ONCE)]  # fmt: skip
        return np.concatenate(made) if made else pictures, np.full(len(pictures), -1)

    @staticmethod
    def _everywhere(
        kind: str, pictures: NDArray[np.uint8], mine: Statistics, rest: Statistics, random: np.random.Generator
    ) -> NDArray[np.uint8]:
        if kind == COLOUR:
            return traits.recoloured(pictures, mine, rest)
        if kind == SHARPNESS:
            return traits.sharpened(pictures, mine, rest)
        return traits.textured(pictures, mine, rest, random)

    def looked(
        self, pictures: NDArray[np.uint8], layer: str | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Logits, shape (n, classes), and where a layer is named the mean activation of each picture there."""
        logits, means = [], []
        first = 0
        while first < len(pictures):
            read, said = self.batches.run(partial(self._pass, pictures[first:], [layer] if layer else []))
            logits.append(said)
            means += [read[layer].mean(axis=(2, 3), dtype=np.float64)] if layer else []
            first += len(said)
        self.passes += len(pictures)
        classes = self.model.classes or 0
        return (np.concatenate(logits) if logits else np.zeros((0, classes), np.float32),
                np.concatenate(means) if means else np.zeros((0, 0)))  # fmt: skip

    def _pass(
        self, pictures: NDArray[np.uint8], layers: Sequence[str], size: int
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
        return answers(self.model, pictures[:size], size, layers)

    def told(self) -> dict[str, Any]:
        """What a part's record says of its work."""
        return {"passes": self.passes, **marked(self.batches.halved)}
