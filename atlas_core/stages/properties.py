"""The second detector's two stages: give what goes with a class to base images of others, and count what that flips."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.audit.directions import pack_direction
from atlas_core.audit.pasting import chance
from atlas_core.audit.properties import LEAST_KEPT
from atlas_core.audit.traits import PLACES, TRAITS
from atlas_core.keys import canonical_json
from atlas_core.stages.evidence import strip
from atlas_core.stages.giving import Trial
from atlas_core.stages.step import Output, Step, significant

if TYPE_CHECKING:
    from atlas_core.stages.bench import Bases

CONTROL_CLASSES = 8
DIRECTED, SHOWN, TOLD = 32, 8, 40


def give(step: Step) -> Output:
    """Give what goes with a part of the classes to a few base images each."""
    trial = Trial(step)
    wanted = np.arange(trial.screened)
    classes = np.unique(trial.pairs["class"][wanted])[step.parameters["part"] :: step.parameters["parts"]]
    mine = wanted[np.isin(trial.pairs["class"][wanted], classes)]
    bases = trial.bench.bases(trial.bench.halves()[0] if len(mine) else np.zeros(0, np.int64))
    rows = []
    for done, pair in enumerate(mine.tolist()):
        name, trait = int(trial.pairs["class"][pair]), int(trial.pairs["trait"][pair])
        chosen = trial.recipients(bases, name, trait, trial.options.screen)
        logits, _ = trial.looked(trial.given(bases.pixels[chosen], name, trait, "screen")[0])
        rows.append((pair, int((logits.argmax(axis=1) == name).sum()) if len(logits) else 0, len(logits)))
        step.on_progress(done + 1, len(mine))
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    return Output({"given": tables.pack(dict(zip(("pair", "flips", "given"), columns, strict=True)))}, trial.told())


def kept(trial: Trial) -> list[int]:
    """The pairs to give again, as all parts choose them: those that flipped most, as many as fit the budget."""
    step = trial.step
    found = tables.concatenate([step.table(record, "given") for record in step.inputs("publish", step="give")])
    share = found["flips"] / np.maximum(found["given"], 1)
    order = np.lexsort((found["pair"], -share))
    order = order[found["flips"][order] > 0]
    room = (step.parameters["passes"] - int(found["given"].sum())) // (2 * trial.options.confirm)
    most = max(LEAST_KEPT, round(trial.options.keep * len(found["pair"])))
    return [int(pair) for pair in found["pair"][order][: max(1, min(most, room))]]


def give_again(step: Step) -> Output:
    """Give a part of the properties that flipped most to many fresh base images, and another class's beside."""
    trial = Trial(step)
    mine = list(enumerate(kept(trial)))[step.parameters["part"] :: step.parameters["parts"]]
    bases = trial.bench.bases(trial.bench.halves()[1] if mine else np.zeros(0, np.int64))
    found: dict[str, Any] = {}
    blobs: dict[str, bytes] = {}
    for done, (place, pair) in enumerate(mine):
        test = Test(trial, bases, int(trial.pairs["class"][pair]), int(trial.pairs["trait"][pair]))
        found[str(place)] = {**test.counted(), **test.controlled(), "pair": pair}
        blobs |= {f"{role}-{place}": picture for role, picture in test.pictures().items()}
        step.on_progress(done + 1, len(mine))
    return Output({"confirmed": canonical_json(found), **blobs}, trial.told())


class Test:
    """A class's trait given to many base images of other classes.

    Args:
        trial: Reads and counts.
        bases: Fresh base images.
        name: Index of the class.
        trait: Place in `TRAITS`.
    """

    def __init__(self, trial: Trial, bases: Bases, name: int, trait: int) -> None:
        self._trial, self._bases, self._name, self._trait = trial, bases, name, trait
        self._rows = trial.recipients(bases, name, trait, trial.options.confirm)
        self._before = bases.pixels[self._rows]
        self._after, self._donor = trial.given(self._before, name, trait, "confirm")
        self._logits, self._means = trial.looked(self._after, trial.step.parameters["layer"])
        self._flipped = self._logits.argmax(axis=1) == name

    def counted(self) -> dict[str, Any]:
        """Flips, by how many donors, what it does to the logit and the layer, and where the trait sits."""
        gain = self._logits[:, self._name] - self._bases.logits[self._rows, self._name]
        place = TRAITS[self._trait] in PLACES
        return {
            "class": self._name, "class_name": self._trial.bench.names[self._name], "trait": TRAITS[self._trait],
            "place": place, "layer": self._trial.step.parameters["layer"], "flips": int(self._flipped.sum()),
            "given": len(self._rows), "images": len(np.unique(self._rows)),
            "gain": significant(gain.mean()) if len(gain) else 0.0,
            "donors": len(self._trial.having(self._name, self._trait)),
            "donors_that_flip": len(np.unique(self._donor[self._flipped])) if place else None,
            "spread": None if place else self._spread(), "direction": self._direction(),
        }  # fmt: skip

    def _spread(self) -> float | None:
        """Share of the flips that is left where the trait is learned from what lies around things alone."""
        if not self._flipped.any():
            return None
        after, _ = self._trial.given(self._before, self._name, self._trait, "around", around=True)
        flipped = int((self._trial.looked(after)[0].argmax(axis=1) == self._name).sum())
        return significant(min(1.0, flipped / int(self._flipped.sum())))

    def _direction(self) -> str | None:
        """How the mean activation changes, of the first images."""
        _, before = self._trial.looked(self._before[:DIRECTED], self._trial.step.parameters["layer"])
        return pack_direction((self._means[:DIRECTED] - before).mean(axis=0)) if len(before) else None

    def _others(self) -> list[int]:
        """Some other classes whose traits are a control."""
        classes = self._trial.donors.classes
        mixed = chance("others", self._trial.seed, self._name, self._trait).permutation(classes[classes != self._name])
        return [int(one) for one in mixed[:CONTROL_CLASSES]]

    def controlled(self) -> dict[str, int]:
        """Flips where the same images are given the same trait of other classes, which take turns."""
        others = self._others()
        hits = given = 0
        for number, other in enumerate(others):
            pictures = self._before[number :: len(others)]
            after, _ = self._trial.given(pictures, other, self._trait, "control", self._name)
            logits, _ = self._trial.looked(after)
            hits += int((logits.argmax(axis=1) == self._name).sum())
            given += len(logits)
        return {"control_flips": hits, "control_given": given}

    def pictures(self) -> dict[str, bytes]:
        """Donors, and base images before and after, as PNG; none where nothing flipped or privacy keeps none."""
        shown = np.flatnonzero(self._flipped)[:SHOWN]
        if not len(shown) or self._trial.step.plan.spec.strict:
            return {}
        visible = self._trial.bench.card.input.visible
        strips = {"exemplar": self._trial.having(self._name, self._trait)[:SHOWN], "before": self._before[shown],
                  "after": self._after[shown]}  # fmt: skip
        return {role: strip(list(pictures), visible) for role, pictures in strips.items()}


def publish_properties(step: Step) -> Output:
    """Put together what was measured, with pictures of every property that flipped anything."""
    trial = Trial(step)
    tests: dict[int, dict[str, Any]] = {}
    blobs: dict[str, bytes] = {}
    again = step.inputs("publish", step="give again")
    store = step.runtime.store
    for record in again:
        for place, value in json.loads(store.get_blob(record["blobs"]["confirmed"])).items():
            pair = value.pop("pair")
            value |= {"separation": significant(trial.pairs["separation"][pair]),
                      "beyond": significant(trial.pairs["beyond"][pair]), "evidence": []}  # fmt: skip
            for role, caption in captions(value):
                if f"{role}-{place}" in record["blobs"]:
                    name = f"evidence-{len(blobs)}"
                    blobs[name] = store.get_blob(record["blobs"][f"{role}-{place}"])
                    value["evidence"].append({"name": name, "caption": caption, "role": role})
            tests[int(place)] = value
    screening, confirming = trial.bench.halves()
    described = step.inputs("publish", step="traits")[0]
    classes, names = step.plan.model.classes or 0, trial.bench.names
    unreached = trial.candidates - trial.screened
    measured = {
        "pairs": classes * len(TRAITS), "looked_at": len(trial.pairs["class"]) - unreached,
        "classes": {"all": classes, "looked_at": len(trial.donors.classes)},
        "base": {"looked_at": trial.bench.looked_at, "screening": len(screening), "images": len(confirming)},
        "associations": _associations(trial.pairs, names),
        "files": json.loads(store.get_blob(described["blobs"]["files"])) if described["blobs"] else [],
        "passes": sum(record["info"]["passes"] for record in (*step.inputs("publish", step="give"), *again)),
        "tests": [tests[place] for place in sorted(tests)],
    }  # fmt: skip
    for entry in measured["files"]:
        entry["name"] = names[entry["class"]]
    return Output({"measured": canonical_json(measured), **blobs})


def captions(value: dict[str, Any]) -> list[tuple[str, str]]:
    """What each of a test's pictures is."""
    name, trait = value["class_name"], value["trait"]
    return [("exemplar", f"pictures of {name!r}, whose {trait} is given"),
            ("before", "pictures of other classes that the model recognises"),
            ("after", f"the same pictures with that {trait}, now taken for {name!r}")]  # fmt: skip


def _associations(pairs: tables.Table, names: Sequence[str]) -> list[dict[str, Any]]:
    rows = zip(*(pairs[column][:TOLD].tolist() for column in ("class", "trait", "separation", "beyond")), strict=True)
    return [{"class": names[index], "property": TRAITS[trait], "separation": significant(apart),
             "beyond_label": significant(beyond)} for index, trait, apart, beyond in rows]  # fmt: skip
