"""Issue 5, done when 3: what novelty sees on real networks, how often it is wrong, and what it does not see."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage, stats

from atlas_core.activations import collect_shard
from atlas_core.cards import resolve_dataset_card
from atlas_core.copies import pool_copies
from atlas_core.datasets.dataset import Dataset, open_dataset
from atlas_core.models.preprocessing import preprocess, read_pixels, to_unit
from atlas_core.novelty import Novelty, auroc
from atlas_core.pooling import ITSELF, Pooled, Watch, depths, pool
from atlas_core.registration import load_card
from atlas_core.spoiled import KINDS, spoil
from atlas_core.tables import concatenate

if TYPE_CHECKING:
    from atlas_core.models.base import LoadedModel
    from atlas_core.tables import Table
    from tests.proof.conftest import Report

pytestmark = pytest.mark.proof

Pixels = NDArray[np.uint8]
Change = Callable[[Pixels, np.random.Generator], Pixels]
PER_SET = 1_000
"""Pictures of a set at most; false alarms are counted over all that are held out."""


def _noise(pixels: Pixels, random: np.random.Generator) -> Pixels:
    return random.integers(0, 256, pixels.shape, dtype=np.uint8)


def _smooth(deviation: float) -> Change:
    """Noise blurred over so much of the side."""

    def smooth(pixels: Pixels, random: np.random.Generator) -> Pixels:
        sigma = deviation * pixels.shape[0]
        noise = ndimage.gaussian_filter(random.standard_normal(pixels.shape), (sigma, sigma, 0), mode="wrap")
        smoothed: Pixels = (128 + 50 * noise / noise.std()).clip(0, 255).astype(np.uint8)
        return smoothed

    return smooth


def _blocks(across: int) -> Change:
    def shuffled(pixels: Pixels, random: np.random.Generator) -> Pixels:
        side = pixels.shape[0] // across
        copy = pixels.copy()
        for place, source in enumerate(random.permutation(across**2)):
            (row, column), (top, left) = (tuple(side * np.array(divmod(at, across))) for at in (place, int(source)))
            copy[row : row + side, column : column + side] = pixels[top : top + side, left : left + side]
        return copy

    return shuffled


def _jpeg(quality: int) -> Change:
    def compressed(pixels: Pixels, _: np.random.Generator) -> Pixels:
        data = io.BytesIO()
        Image.fromarray(pixels).save(data, "JPEG", quality=quality)
        return np.asarray(Image.open(data).convert("RGB"))

    return compressed


def _pixelated(factor: int) -> Change:
    def pixelated(pixels: Pixels, _: np.random.Generator) -> Pixels:
        side = pixels.shape[0]
        small = Image.fromarray(pixels).resize((side // factor, side // factor), Image.Resampling.BOX)
        return np.asarray(small.resize((side, side), Image.Resampling.NEAREST))

    return pixelated


def _grainy(share: float) -> Change:
    return lambda pixels, random: (
        (pixels + 255 * share * random.standard_normal(pixels.shape)).clip(0, 255).astype(np.uint8)
    )


def _dragged(share: float) -> Change:
    """Blurred along the rows."""
    return lambda pixels, _: ndimage.uniform_filter1d(
        pixels.astype(float), max(3, round(share * pixels.shape[0])), axis=1, mode="nearest"
    ).astype(np.uint8)


def _foggy(pixels: Pixels, random: np.random.Generator) -> Pixels:
    return (0.45 * pixels + 0.55 * (119 + 0.4 * _smooth(1 / 8)(pixels, random))).clip(0, 255).astype(np.uint8)


def _striped(pixels: Pixels, random: np.random.Generator) -> Pixels:
    down, across = (np.arange(pixels.shape[0]) * random.normal() / 2 for _ in range(2))
    return (127 + 120 * np.sin(np.add.outer(down, across)))[..., None].repeat(3, axis=2).astype(np.uint8)


def _grey(pixels: Pixels, _: np.random.Generator) -> Pixels:
    return np.asarray(Image.fromarray(pixels).convert("L").convert("RGB"))


def _sharpened(pixels: Pixels, _: np.random.Generator) -> Pixels:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.UnsharpMask(2, 400, 0)))


CHOSEN_BY: dict[str, Change] = {
    "noise": _noise, "smooth noise": _smooth(1 / 28), "blocks 8 x 8": _blocks(8), "JPEG 10": _jpeg(10),
    "pixelated 4": _pixelated(4), "pixelated 2": _pixelated(2),
}  # fmt: skip
"""What was looked at while the parts were chosen, and is no kind of copies."""
CONFIRM: dict[str, Change] = {
    "upside down, mirrored": lambda pixels, _: pixels[::-1].copy(),
    "solarized": lambda pixels, _: np.where(pixels < 128, pixels, 255 - pixels).astype(np.uint8),
    "red for blue": lambda pixels, _: pixels[:, :, ::-1].copy(),
    "grainy": _grainy(0.12), "dragged": _dragged(1 / 12), "JPEG 5": _jpeg(5), "foggy": _foggy, "grey": _grey,
    "overexposed": lambda pixels, _: (pixels.astype(int) + 100).clip(0, 255).astype(np.uint8),
    "posterized": lambda pixels, _: (pixels // 64 * 85).astype(np.uint8),
    "sharpened": _sharpened, "blocks 2 x 2": _blocks(2), "fine noise": _smooth(1 / 200), "stripes": _striped,
    "one colour": lambda pixels, random: np.broadcast_to(random.integers(0, 256, 3, np.uint8), pixels.shape).copy(),
}  # fmt: skip
"""Looked at once, when everything had been chosen."""


@dataclass
class World:
    """A network, what was kept of the images of an atlas, and images that are held out."""

    model: LoadedModel
    kept: Table
    classes: NDArray[np.int64]
    held_out: list[tuple[str, int, Pixels]]
    calibration: int
    foreign: list[Pixels]

    def pooled(self, pictures: list[Pixels]) -> Iterator[Pooled]:
        """Pool pictures as a projection does."""
        at = depths(self.model.layers)
        for first in range(0, len(pictures), 32):
            read, logits = self.model.activations(to_unit(np.stack(pictures[first : first + 32])), at, logits=True)
            for place in range(len(pictures[first : first + 32])):
                yield pool({name: read[name][place] for name in at}, logits[place] if logits is not None else None, at)

    @property
    def test(self) -> list[tuple[str, int, Pixels]]:
        """The images that are neither in the atlas nor set aside for the comparison of calibrations."""
        return self.held_out[self.calibration :]


def _order(images: list[str]) -> list[int]:
    return sorted(range(len(images)), key=lambda place: hashlib.sha256(images[place].encode()).digest())


def _open(card: Path) -> Dataset:
    def no_blob(sha256: str) -> Any:
        raise AssertionError(sha256)

    return open_dataset(resolve_dataset_card(card), no_blob)


def _world(folder: Path, atlas: Dataset, ids: list[int], held_out: list[tuple[Dataset, int]], other: Path) -> World:
    model = load_card(folder / "model.json")
    watch = Watch(tuple(depths(model.layers)), len(ids))
    own = collect_shard(model, atlas, ids, [], [1] * len(ids), 0, watch=watch).novelty
    copies, _ = pool_copies(model, atlas, own["image"].tolist(), watch)
    kept = concatenate([own, copies])
    names = [
        (data.listing.images[place], int(data.listing.labels[place]), read_pixels(data.read(data.listing.images[place]),
         model.card.input)) for data, place in held_out
    ]  # fmt: skip
    with _open(other) as strangers:
        chosen = _order(list(strangers.listing.images))[:PER_SET]
        foreign = [read_pixels(strangers.read(strangers.listing.images[place]), model.card.input) for place in chosen]
    return World(model, kept, atlas.listing.labels[kept["image"]].astype(np.int64), names, 0, foreign)


@pytest.fixture(scope="module")
def cifar_world(shared: Path) -> World:
    """Atlas 6,000 training pictures, calibration 1,000 others, test 2,000."""
    folder = shared / "cifar10"
    with _open(folder / "dataset-train.json") as train, _open(folder / "dataset-test.json") as test:
        order = _order(list(train.listing.images))
        held_out = [(train, place) for place in order[6000:7000]]
        held_out += [(test, place) for place in _order(list(test.listing.images))]
        made = _world(folder, train, sorted(order[:6000]), held_out, shared / "imagenet" / "dataset.json")
    made.calibration = 1000
    return made


@pytest.fixture(scope="module")
def imagenet_world(shared: Path) -> World:
    """606 photographs, one of each class: atlas 300, calibration 150, test 156."""
    folder = shared / "imagenet"
    with _open(folder / "dataset.json") as photographs:
        order = _order(list(photographs.listing.images))
        held_out = [(photographs, place) for place in order[300:]]
        made = _world(folder, photographs, sorted(order[:300]), held_out, shared / "cifar10" / "dataset-test.json")
    made.foreign, made.calibration = made.foreign[:156], 150
    return made


def _rows(pooled: Pooled) -> Iterator[Pooled]:
    for row in range(len(pooled.energy)):
        yield Pooled(*(getattr(pooled, field.name)[row] for field in fields(Pooled)))


def _judged(known: Novelty, pooled: Iterator[Pooled] | list[Pooled]) -> NDArray[np.float64]:
    return np.array([known.p(known.parts(one)) for one in pooled])


def _changed(world: World, name: str, change: Change) -> list[Pixels]:
    found = []
    for image, _, pixels in world.test[:PER_SET]:
        seed = int.from_bytes(hashlib.sha256(f"{name}/{image}".encode()).digest()[:8], "big")
        found.append(change(pixels, np.random.default_rng(seed)))
    return found


def _sets(world: World) -> Iterator[tuple[str, str, list[Pixels]]]:
    """All sets: how they were used, their name, and their pictures."""
    for kind, name in enumerate(KINDS):
        yield "shown", name, [spoil(pixels, kind, image) for image, _, pixels in world.test[:PER_SET]]
    yield "chosen by", "another dataset", world.foreign
    for name, change in CHOSEN_BY.items():
        yield "chosen by", name, _changed(world, name, change)
    for name, change in CONFIRM.items():
        yield "confirmed on", name, _changed(world, name, change)
    from sklearn.datasets import load_digits

    side = (world.model.card.input.width, world.model.card.input.height)
    digits = load_digits().images[: min(PER_SET, len(world.test))]
    drawn = [Image.fromarray((15.9 * one).astype(np.uint8)).convert("RGB").resize(side) for one in digits]
    yield "confirmed on", "digits", [preprocess(one, world.model.card.input) for one in drawn]


def _false_alarms(report: Report, name: str, known: Novelty, ordinary: NDArray[np.float64]) -> None:
    """The share of new images that are called strange lies where chance puts it at the nominal rate.

    The images that calibrate are drawn, too: with n of them the number is beta-binomial, wider than the binomial.
    """
    for rate in (0.01, 0.05, 0.1):
        count, new, rank = int((ordinary <= rate).sum()), len(ordinary), max(1, int(rate * (known.n + 1)))
        low, high = stats.binom.interval(0.99, new, rate)
        least, most = stats.betabinom.interval(0.99, new, rank, known.n + 1 - rank)
        report(f"novelty, {name}: false alarms at {rate}", n=known.n, new=new, found=count,
               binomial=f"{low:.0f} to {high:.0f}", with_calibration=f"{least:.0f} to {most:.0f}")  # fmt: skip
        assert least <= count <= most
        assert rate != 0.05 or low <= count <= high


def _without(world: World, classes: list[int]) -> Novelty:
    return Novelty.learnt({name: column[~np.isin(world.classes, classes)] for name, column in world.kept.items()})


def _tell(report: Report, name: str, world: World) -> dict[str, float]:
    """Report every AUROC, and check false alarms; returns the AUROCs."""
    known = Novelty.learnt(world.kept)
    ordinary = _judged(known, world.pooled([pixels for _, _, pixels in world.held_out]))
    _false_alarms(report, name, known, ordinary)
    test = ordinary[world.calibration :]
    found = {}
    for use, called, pictures in _sets(world):
        found[called] = auroc(-test, -_judged(known, world.pooled(pictures)))
        report(f"novelty, {name}: {called} ({use})", auroc=round(found[called], 3), n=len(pictures), against=len(test))
    logits = world.model.activations(to_unit(np.stack([pixels for *_, pixels in world.test])), [], logits=True)[1]
    assert logits is not None
    wrong = logits.argmax(axis=1) != np.array([label for _, label, _ in world.test])
    report(
        f"novelty, {name}: predicted wrongly", auroc=round(auroc(-test[~wrong], -test[wrong]), 3), n=int(wrong.sum())
    )
    return found


def _held_out_classes(report: Report, name: str, world: World, groups: dict[str, list[int]]) -> list[float]:
    """AUROC of images of classes that the atlas lacks, against those of the others."""
    pooled = list(world.pooled([pixels for _, _, pixels in world.test]))
    labels = np.array([label for _, label, _ in world.test])
    found = []
    for called, classes in groups.items():
        known = _without(world, classes)
        new = np.isin(labels, classes)
        strange = [pooled[place] for place in np.flatnonzero(new)]
        own = (world.kept["kind"] == ITSELF) & np.isin(world.classes, classes)
        if len(strange) < 200:  # with one picture a class those of the atlas are needed, too
            strange += list(_rows(Pooled.of(world.kept, own)))
        ordinary = _judged(known, [pooled[place] for place in np.flatnonzero(~new)])
        found.append(auroc(-ordinary, -_judged(known, strange)))
        report(f"novelty, {name}: atlas without {called}", auroc=round(found[-1], 3), n=known.n, strange=len(strange),
               against=len(ordinary))  # fmt: skip
    return found


def test_novelty_on_photographs(imagenet_world: World, report: Report) -> None:
    found = _tell(report, "SqueezeNet", imagenet_world)
    # method.md: .945 other datasets, .995 noise, .995 smooth noise, .994 shuffled blocks, less .03
    for called, least in (
        ("another dataset", 0.915),
        ("noise", 0.965),
        ("smooth noise", 0.965),
        ("blocks 8 x 8", 0.964),
    ):
        assert found[called] > least, called
    assert found["inverted"] > 0.85
    blocks = {f"classes {first} to {first + 199}": list(range(first, first + 200)) for first in range(0, 1000, 200)}
    moved = {f"classes {first} to {first + 199}": list(range(first, first + 200)) for first in range(100, 900, 200)}
    chosen, confirmed = (
        _held_out_classes(report, "SqueezeNet" + use, imagenet_world, groups)
        for use, groups in (("", blocks), (", confirmed", moved))
    )
    assert min(np.mean(chosen), np.mean(confirmed)) > 0.5


def test_novelty_on_small_pictures(cifar_world: World, report: Report) -> None:
    found = _tell(report, "ResNet-20", cifar_world)
    for called in ("noise", "smooth noise", "shuffled", "blurred", "of low contrast", "salted", "pixelated 2"):
        assert found[called] > 0.95, called
    assert np.mean([found["turned by 90°"], found["inverted"]]) > 0.85
    pairs = {"2 and 8": [2, 8], "0 and 5": [0, 5], "1, 3 and 9": [1, 3, 9], "4, 6 and 7": [4, 6, 7]}
    others = {"0 and 1": [0, 1], "3 and 5": [3, 5], "4 and 7": [4, 7], "2, 6 and 9": [2, 6, 9]}
    for use, groups in (("", pairs), (", confirmed", others)):
        assert min(_held_out_classes(report, "ResNet-20" + use, cifar_world, groups)) > 0.75
