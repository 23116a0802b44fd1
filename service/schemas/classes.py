"""What an atlas says of classes, over the wire."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import BaseModel, Field

from service.schemas.samples import ClassName

OfCells = Literal["count", "error", "confidence", "calibration", "coherence", "fidelity", "strongest"]
Measure = Literal["attribution", "activation", OfCells]
MEASURES: tuple[OfCells, ...] = get_args(OfCells)


class Heatmap(BaseModel):
    """A number for every cell of a level, as columns of equal length, cells in the level's order.

    `attribution` is of `class`, in logits, `activation` the mean of `channel`; `error` and `confidence` are shares of
    the cell's images, `calibration` is the difference between confidence and the share that is right. `coherence` is
    the cell's own, `fidelity` the whitened cosine of its icon, null where it could not be measured, `strongest` what
    the cell adds to the class that it adds most to, in logits. `least` and `greatest` are over cells with
    `enough` samples or more, and a value over `scale`, the larger of both whatever their sign, is what is shown, from
    -1 to 1. Of `error` each has its Wilson interval of 95 % and its number of labelled images; without any its value is
    null.
    """

    layer: str
    z: int
    side: int
    measure: Measure
    class_: ClassName | None = Field(alias="class")
    channel: int | None = None
    scale: float
    least: float
    greatest: float
    enough: int
    column: list[int]
    row: list[int]
    count: list[int]
    value: list[float | None]
    low: list[float | None] | None = None
    high: list[float | None] | None = None
    images: list[int] | None = None


class ConfusedPair(BaseModel):
    """Two classes that the model takes for each other, over the images that the atlas sampled.

    `images` are of either, `confused` how many of the first are taken for the second and the other way round, `share`
    both over `images`, with its Wilson interval of 95 %; null where nothing is labelled. `probability` is the mean that
    the model gives to the other class.
    """

    classes: tuple[ClassName, ClassName]
    images: int
    confused: tuple[int, int] | None
    share: float | None
    interval: tuple[float, float] | None
    probability: float
