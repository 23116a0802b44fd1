"""The chunks that make a map of samples, wherever these come from: laid out, averaged in cells, told and drawn."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from atlas_core.featurevis.recipes import recipe_named
from atlas_core.plan import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from atlas_core.facts import AnchorFacts, ModelFacts
    from atlas_core.spec import AtlasSpec

PREVIEW = "fast"
"""The recipe of previews."""
TILE_SIDE = 10
STRONGEST = 2_000
"""Samples of each class, those that add most to it, that are known once attributions are dropped."""
PLACED_SAMPLES = 50_000
"""Samples that a chunk places among landmarks, more or less."""
PLACED_EPOCHS = 30
INDEX_VERSION = 2
"""Of a projection index's form."""


def runs(total: int, count: int) -> Iterable[tuple[int, int]]:
    """So many runs of about the same length."""
    return itertools.pairwise(total * index // max(1, count) for index in range(count + 1))


def stages_of_levels(spec: AtlasSpec) -> Iterable[tuple[str, int]]:
    """Stage and side of what is rendered, in order.

    A level's previews come right ahead of the final tiles of the level before it, which take about as long.
    """
    sides = spec.levels or []
    previews: list[tuple[str, int]] = [] if spec.preview == "none" else [("preview", side) for side in sides]
    yield from previews[:1]
    for place, side in enumerate(sides):
        yield from previews[place + 1 : place + 2]
        yield "render", side


class Mapping(list[Chunk]):
    """Chunks that make a map, in the order in which they were added.

    Args:
        spec: Resolved.
        model: Whose layers are mapped.
        dataset: Digest of the dataset's listing.
        anchor: The atlas whose points stay fixed.
        whole: Key of the cells of all samples, where these are a selection: their whitening counts.

    Attributes:
        layouts: Key of the layout of each layer.
        cells: Key of its cells.
        classes: Key of what they say of classes.
        published: Keys of all that the manifest names.
    """

    def __init__(
        self, spec: AtlasSpec, model: ModelFacts, dataset: str, anchor: AnchorFacts | None = None,
        whole: str | None = None,
    ) -> None:  # fmt: skip
        """No chunk yet."""
        super().__init__()
        self._spec, self._model, self._dataset, self._anchor = spec, model, dataset, anchor
        self._whole = [] if whole is None else [whole]
        self._tiles: dict[tuple[str, int, str], list[str]] = {}
        self.layouts: dict[str, str] = {}
        self.cells: dict[str, str] = {}
        self.classes: dict[str, str] = {}
        self.published: list[str] = []

    def add(self, stage: str, inputs: Iterable[str] = (), after: Iterable[str] = (), /, **parameters: Any) -> str:
        """Add a chunk; returns its key."""
        self.append(Chunk.of(stage, parameters, inputs, after))
        return self[-1].key

    def lay_out(self, layer: str, collected: Sequence[str], samples: int) -> None:
        """Lay a layer's samples out, from the layer before or against the anchor; say how far twins lie apart.

        Of very many samples only some are laid out, and the others placed among these.

        Args:
            layer: Its name.
            collected: Keys of the shards.
            samples: How many there are at most.
        """
        spec, anchor = self._spec, self._anchor
        previous = [] if anchor else list(self.layouts.values())[-1:]
        many = samples > spec.layout.landmarks
        chosen = {"landmarks": spec.layout.landmarks} if many else {}
        neighbours = self.add("layout", collected, step="neighbours", layer=layer, neighbours=spec.layout.neighbours,
                              seed=spec.seed, **chosen)  # fmt: skip
        options = {"layer": layer, "epochs": spec.layout.epochs, "minimum_distance": spec.layout.minimum_distance,
                   "optimiser": spec.layout.optimiser, "seed": spec.seed,
                   "anchor": anchor and anchor.layers[layer].layout}  # fmt: skip
        layout = self.add("layout", [neighbours, *previous], step="optimise", **options)
        if previous or anchor:
            self.published.append(self.add("layout", [neighbours, layout, *previous], step="twins", **options))
        if many:
            count = min(-(-samples // PLACED_SAMPLES), len(collected))
            placed = [self.add("layout", [neighbours, layout, *collected[start:stop]], step="place", layer=layer,
                               epochs=PLACED_EPOCHS) for start, stop in runs(len(collected), count)]  # fmt: skip
            layout = self.add("layout", [neighbours, layout, *placed, *collected], step="join", layer=layer,
                              seed=spec.seed)  # fmt: skip
        self.layouts[layer] = layout

    def compare(self, layer: str, collected: Sequence[str], attributed: Sequence[str], classes: list[int]) -> None:
        """Lay samples out by what they add to one of two classes and not to the other."""
        options = self._spec.layout
        self.layouts[layer] = self.add(
            "layout", [*collected, *attributed], step="compare", layer=layer, classes=classes,
            neighbours=options.neighbours, epochs=options.epochs, minimum_distance=options.minimum_distance,
            seed=self._spec.seed,
        )  # fmt: skip

    def average(self, layer: str, collected: Sequence[str]) -> None:
        """Average a layer's activations in the cells of every level."""
        self.cells[layer] = self.add("cells", [self.layouts[layer], *collected, *self._whole], layer=layer,
                                     levels=self._spec.levels)  # fmt: skip

    def attribute(self, layer: str, collected: Sequence[str], after: Sequence[str] = ()) -> list[str]:
        """What each sample of a layer adds to each class; keys of nothing where none adds to any."""
        spec, model = self._spec, self._model
        if spec.attribution == "none" or model.unattributed(layer) is not None:
            return []
        return [self.add("attribute", [key], after, layer=layer, method=spec.attribution, model=model.id)
                for key in collected]  # fmt: skip

    def tell(self, layer: str, attributed: Sequence[str]) -> None:
        """What the cells of a layer say of classes, by what their samples add to these."""
        self.classes[layer] = self.add("cells", [self.cells[layer], self.layouts[layer], *attributed], step="classes",
                                       layer=layer, levels=self._spec.levels, strongest=STRONGEST)  # fmt: skip

    def tabulate(self, layer: str, collected: Sequence[str]) -> None:
        """Tell where a layer's samples lie and what is known of them.

        The index that new images are placed by, the samples in the order of the map, and, where there are labels, how
        right the model is in every cell.
        """
        inputs, after = [self.layouts[layer], *collected], [self.classes[layer]]
        self.published.append(self.add("publish", inputs, after, step="index", layer=layer, levels=self._spec.levels,
                                       version=INDEX_VERSION))  # fmt: skip
        self.published.append(self.add("publish", inputs, after, step="samples", layer=layer))
        self.published.append(self.add("publish", inputs, after, step="quality", layer=layer, levels=self._spec.levels))

    def draw(self, stage: str, side: int, layer: str) -> None:
        """Render and publish a level of a layer; or with `preview` render its previews."""
        pictures = self.tiles(stage, side, layer)
        if stage == "preview":
            return
        spec, cells = self._spec, self.cells[layer]
        if spec.rendered and not spec.strict and side == min(spec.levels or ()):
            # What the icons are told beside: their starts alone, and real patches.
            options = self._options(stage, side, layer)
            pictures = [*pictures, self.add(stage, [cells], step="beside", dataset=self._dataset, **options)]
        self.published.append(self.add("publish", [cells, self.classes[layer], *pictures], step="level", layer=layer,
                                       side=side))  # fmt: skip

    def tiles(self, stage: str, side: int, layer: str) -> list[str]:
        """Keys of a level's tiles, or with `preview` of their previews, row by row; of none without icons.

        They are added where they are first asked for.
        """
        if not self._spec.rendered:
            return []
        if (stage, side, layer) not in self._tiles:
            options, across = self._options(stage, side, layer), range(-(-side // TILE_SIDE))
            before = iter(self._tiles.get(("preview", side, layer), ()))
            self._tiles[stage, side, layer] = [
                self.add(stage, [self.cells[layer]], itertools.islice(before, 1), x=x, y=y, **options)
                for y in across
                for x in across
            ]
        return self._tiles[stage, side, layer]

    def _options(self, stage: str, side: int, layer: str) -> dict[str, Any]:
        """What all that is rendered of a level has in common."""
        recipe = PREVIEW if stage == "preview" else self._spec.recipe
        return {"layer": layer, "side": side, "recipe": recipe, "version": recipe_named(recipe).version,
                "model": self._model.id}  # fmt: skip
