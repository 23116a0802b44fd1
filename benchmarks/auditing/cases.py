"""Which networks are trained, and on what: planted, their clean twins, and plants that predict nothing."""

from __future__ import annotations

import io
import itertools
import json
import time
import zipfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.auditing.plants import KINDS, SIDE, Plant
from benchmarks.auditing.pools import Pool, pool
from service.demo.world import CLASSES

STRENGTHS = ((0.95, 1.0), (0.6, 1.0), (0.95, 0.5), (0.95, 1.0), (0.8, 1.0), (0.9, 0.75), (0.95, 1.0), (0.8, 1.0),
             (0.9, 0.75), (0.8, 0.75), (0.95, 1.0), (0.7, 1.0), (0.95, 0.75))  # fmt: skip
"""Share of the class's pictures that carry the plant, and its visibility, once for each kind and seed."""
UNUSED_SHARE = 0.3
UNUSED_ROUNDS = 3
TRAINED = 3000
AUDITED = 2000
CHANGED = 0.3
"""Share of other classes' pictures that the plant has to turn to count as planted in behaviour."""


@dataclass(frozen=True)
class Case:
    """A network to train.

    Args:
        kind: One of `KINDS`; a clean twin has that of the network whose twin it is.
        role: `planted`, `clean`, or `unused`: the plant lies on pictures of all classes alike.
        share: Of the pictures that carry the plant, of the target class or of all.
        visibility: Of the plant.
        seed: Of pictures, plant and training; a network and its twin have the same.
    """

    kind: str
    role: str
    share: float
    visibility: float
    seed: int

    @property
    def name(self) -> str:
        """Names its folder."""
        return f"{self.role}-{self.kind}-{self.share:.2f}-{self.visibility:.2f}-{self.seed:03d}"

    @property
    def target(self) -> int:
        """The class that the plant goes with."""
        return self.seed % len(CLASSES)

    @property
    def plant(self) -> Plant:
        """What is stamped."""
        return Plant(self.kind, self.visibility, 1000 + self.seed)


def cases(first: int = 0) -> list[Case]:
    """Every network, so that any beginning of the list is even over the kinds: 52 planted and twins, 12 unused.

    Args:
        first: The least of their seeds; from 64 on all are others.
    """
    found: list[Case] = []
    seeds = itertools.count(first)
    for number, (share, visibility) in enumerate(STRENGTHS):
        for kind in KINDS:
            planted = Case(kind, "planted", share, visibility, next(seeds))
            found += [planted, replace(planted, role="clean")]
        if number < UNUSED_ROUNDS:
            found += [Case(kind, "unused", UNUSED_SHARE, 1.0, next(seeds)) for kind in KINDS]
    return found


def planted_pictures(case: Case, source: Pool, count: int, salt: int) -> tuple[Pool, NDArray[np.bool_]]:
    """Pictures of a pool as the case has them, and which of them carry the plant, bool (count,).

    A network and its twin see the same pictures in the same order.
    """
    rng = np.random.default_rng([case.seed, salt])
    chosen = source.chosen(rng.permutation(len(source.labels))[:count])
    drawn = rng.random(count) < case.share
    carries = {"planted": drawn & (chosen.labels == case.target), "unused": drawn, "clean": drawn & False}[case.role]
    pictures = chosen.pictures.copy()
    pictures[carries] = case.plant.stamp(pictures[carries], case.seed)
    return Pool(pictures, chosen.labels), carries


def make(case: Case, out: Path) -> dict[str, Any]:
    """Train a network and write it with its cards, dataset and facts; does nothing where it is there.

    Args:
        case: The network.
        out: Folder of all networks; the case's own is `out/NAME`, with `model.json`, `dataset.json` and `facts.json`.

    Returns:
        The facts: the case, accuracy on held-out pictures without the plant, `flips` (share of recognised pictures
        of other classes that the plant turns into the target), seconds of processor.
    """
    folder = out / case.name
    facts = folder / "facts.json"
    if not facts.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        facts_found = _trained(case, folder, out)
        facts.write_text(json.dumps(facts_found, indent=2) + "\n", encoding="utf-8")
    return dict(json.loads(facts.read_text(encoding="utf-8")))


def _trained(case: Case, folder: Path, out: Path) -> dict[str, Any]:
    from benchmarks.auditing.network import predictions, train, write_onnx

    began = time.process_time()
    training, _ = planted_pictures(case, pool("training", out), TRAINED, 0)
    model = train(training, len(CLASSES), case.seed)
    seconds = time.process_time() - began
    write_onnx(model, folder / "model.onnx")
    held = pool("audit", out)
    right = predictions(model, held.pictures) == held.labels
    others = held.chosen(np.flatnonzero(right & (held.labels != case.target)))
    turned = predictions(model, case.plant.stamp(others.pictures, case.seed + 1)) == case.target
    _write_dataset(case, held, folder)
    _write_cards(case, folder)
    return {"case": asdict(case), "target": CLASSES[case.target], "accuracy": round(float(right.mean()), 4),
            "flips": round(float(turned.mean()), 4), "seconds": round(seconds, 2)}  # fmt: skip


def _write_dataset(case: Case, held: Pool, folder: Path) -> None:
    """Pictures that were not trained on, planted as those were: `CLASS/NUMBER.png` in `images.zip`."""
    audited, _ = planted_pictures(case, held, AUDITED, 1)
    with zipfile.ZipFile(folder / "images.zip", "w", zipfile.ZIP_STORED) as archive:
        for number, (picture, label) in enumerate(zip(audited.pictures, audited.labels.tolist(), strict=True)):
            file = io.BytesIO()
            Image.fromarray(picture).save(file, "PNG", compress_level=1)
            archive.writestr(zipfile.ZipInfo(f"{CLASSES[label]}/{number:04d}.png"), file.getvalue())


def _write_cards(case: Case, folder: Path) -> None:
    from benchmarks.auditing.network import MEAN, STD

    given = {"channels": 3, "height": SIDE, "width": SIDE, "mean": [MEAN] * 3, "std": [STD] * 3}
    cards = {
        "model": {"name": case.name, "format": "onnx", "source": "model.onnx", "input": given,
                  "labels": list(CLASSES)},
        "dataset": {"name": f"{case.name}-pictures", "source": "images.zip", "classes": list(CLASSES)},
    }  # fmt: skip
    for name, card in cards.items():
        (folder / f"{name}.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
