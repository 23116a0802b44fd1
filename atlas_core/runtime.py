"""What a worker keeps between chunks: loaded models, open datasets and the tables it read last, each bounded."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from atlas_core import registry, tables
from atlas_core.cards import DatasetCard, ModelCard
from atlas_core.dataset_stores import registered
from atlas_core.datasets import dataset as datasets, listing as listings
from atlas_core.devices import CPU
from atlas_core.errors import NotFoundError
from atlas_core.models.preprocessing import read_pixels
from atlas_core.sampling import allocation, sampled_images

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from atlas_core.cards import InputCard, LayerInfo
    from atlas_core.featurevis.recipes import Recipe
    from atlas_core.featurevis.render import Renderer
    from atlas_core.models.base import LoadedModel
    from atlas_core.novelty import Novelty
    from atlas_core.plan import Chunk, Plan
    from atlas_core.projection import ProjectionIndex
    from atlas_core.store import Store

_V = TypeVar("_V")
MODELS, DATASETS, INDEXES, RENDERERS = 2, 4, 4, 2
TABLES_BYTES = 256 * 2**20
PICTURES_BYTES = 128 * 2**20


class Recent(Generic[_V]):
    """The values asked for last, as many as fit; the last one always does.

    Threads may share it: a value is made once, and whoever asks meanwhile waits.

    Args:
        size: How much fits.
        measure: How much room a value takes, 1 by default.
    """

    def __init__(self, size: int, measure: Callable[[_V], int] = lambda value: 1) -> None:
        """Start empty."""
        self._size = size
        self._measure = measure
        self._held = 0
        self._values: OrderedDict[Hashable, _V] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, key: Hashable, make: Callable[[], _V]) -> _V:
        """The value under a key, made where it is not kept; where there is no room left, some is made first."""
        with self._lock:
            if key not in self._values:
                while self._held >= self._size and self._values:
                    self._held -= self._measure(self._values.popitem(last=False)[1])
                value = self._values[key] = make()
                self._held += self._measure(value)
            self._values.move_to_end(key)
            while self._held > self._size and len(self._values) > 1:
                self._held -= self._measure(self._values.popitem(last=False)[1])
            return self._values[key]


class Runtime:
    """Models, datasets and tables for the chunks of one process.

    Args:
        store: Where everything is read from and written to.
        threads: Threads of a network's computation; one, so that results do not depend on the machine's cores.
        stores: Registered stores that datasets may lie in, URL by name.
        device: That networks compute on, resolved.

    Attributes:
        read: Records asked for since somebody cleared it, by the chunk's key; None of one that is not there.
    """

    def __init__(
        self, store: Store, threads: int = 1, stores: Mapping[str, str] | None = None, device: str = CPU
    ) -> None:
        """Start with nothing loaded."""
        self.store = store
        self.threads = threads
        self.device = device
        self._open_store = registered(stores or {})
        self.read: dict[str, dict[str, Any] | None] = {}
        self._models: Recent[LoadedModel] = Recent(MODELS)
        self._datasets: Recent[datasets.Dataset] = Recent(DATASETS)
        self._tables: Recent[tables.Table] = Recent(TABLES_BYTES, tables.size)
        self._allocations: Recent[tuple[NDArray[np.int64], NDArray[np.int32]]] = Recent(DATASETS)
        self._indexes: Recent[ProjectionIndex] = Recent(INDEXES)
        self._novelties: Recent[Novelty | str] = Recent(INDEXES)
        self._renderers: Recent[Renderer] = Recent(RENDERERS)
        self._pictures: Recent[NDArray[np.uint8]] = Recent(PICTURES_BYTES, lambda picture: picture.nbytes)

    def model(self, card: ModelCard) -> LoadedModel:
        """The model of a resolved card, loaded.

        Raises:
            ModelError: It cannot be loaded.
        """
        from atlas_core.models.base import load_model

        return self._models.get(
            card.id, lambda: load_model(card, self.store.get_blob, threads=self.threads, device=self.device)
        )

    def renderer(self, card: ModelCard, layer: LayerInfo, recipe: Recipe, canvas: int, whitening: str) -> Renderer:
        """A renderer; kept, because a GPU's captured steps belong to it.

        Args:
            card: The model's, resolved.
            layer: Of the model.
            recipe: How.
            canvas: Side of the icons.
            whitening: Blob of the layer's whitening and the data's colours.

        Raises:
            UnsupportedOperatorError: The model cannot be converted to torch.
        """
        from atlas_core.featurevis.render import Renderer
        from atlas_core.whitening import Whitening

        def made() -> Renderer:
            table, trunk = self.table(whitening), self.model(card).trunk(layer.name)
            return Renderer(trunk, recipe, Whitening.from_tables(table), canvas, input=card.input, layer=layer,
                            colours=table["colours"], device=self.device)  # fmt: skip

        return self._renderers.get((card.id, layer.name, recipe, canvas, whitening), made)

    def dataset(self, plan: Plan) -> datasets.Dataset:
        """The dataset of a plan, opened where the registry says it lies.

        Raises:
            NotFoundError: It is not registered, or its source is gone.
        """
        value = registry.document(self.store, "datasets", plan.dataset.id)
        card = DatasetCard(**value["card"])

        def opened() -> datasets.Dataset:
            listing = listings.Listing.from_bytes(self.store.get_blob(plan.dataset.listing))
            return datasets.open_dataset(card, self.store.open_blob, listing, open_store=self._open_store)

        return self._datasets.get((plan.dataset.digest, card.source), opened)

    def picture(self, dataset: datasets.Dataset, place: int, input: InputCard) -> NDArray[np.uint8]:
        """A picture of a dataset's listing as a network sees it, not to be written to.

        The chunks of an audit look at the same pictures again and again, and decoding one costs a small network's pass.

        Raises:
            ImageError: It cannot be read any more.
        """

        def read() -> NDArray[np.uint8]:
            pixels = read_pixels(dataset.read(dataset.listing.images[place]), input)
            pixels.flags.writeable = False
            return pixels

        return self._pictures.get((dataset.listing.digest, input.model_dump_json(), place), read)

    def sampled(self, plan: Plan) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Places in the listing of the images that a plan samples, and points of each.

        Hashing every image id is done once, not once a shard.
        """
        samples, seed, caps = plan.spec.samples, plan.spec.seed, plan.spec.caps

        def chosen() -> tuple[NDArray[np.int64], NDArray[np.int32]]:
            listing = self.dataset(plan).listing
            places = sampled_images(listing.images, listing.labels, seed, caps)
            return places, allocation([listing.images[place] for place in places.tolist()], samples, seed)

        return self._allocations.get((plan.dataset.digest, samples, seed, caps), chosen)

    def record(self, plan: Plan, key: str) -> dict[str, Any]:
        """The record of a finished chunk.

        Raises:
            NotFoundError: The chunk is not done.
        """
        chunk: Chunk = plan.by_key[key]
        self.read[key] = None
        found = self.read[key] = self.store.get_record(chunk.stage, chunk.key)
        if found is None:
            raise NotFoundError(f"the chunk {chunk.stage} {chunk.key[:12]} is not done")
        return found

    def table(self, sha256: str) -> tables.Table:
        """A table by its blob."""
        return self._tables.get(sha256, lambda: tables.unpack(self.store.get_blob(sha256)))

    def index(self, plan: Plan, key: str) -> ProjectionIndex:
        """The projection index that a chunk of a plan made; the store is not asked again for one that is held.

        Raises:
            NotFoundError: The chunk is not done.
        """
        from atlas_core.projection import ProjectionIndex

        def read() -> ProjectionIndex:
            with self.store.open_blob(self.record(plan, key)["blobs"]["index"]) as file:
                return ProjectionIndex.from_tables(tables.open_table(file))

        return self._indexes.get(key, read)

    def novelty(self, plan: Plan) -> Novelty | str:
        """What tells whether an image is new to a plan's atlas, or why there is nothing that does."""
        from atlas_core.novelty import Novelty

        chunks = plan.find("publish", step="novelty")
        if not chunks:
            return "the atlas was planned by an earlier version, which learnt nothing of novelty"

        def read() -> Novelty | str:
            record = self.record(plan, chunks[0].key)
            if "novelty" not in record["blobs"]:
                return str(record["info"]["reason"])
            with self.store.open_blob(record["blobs"]["novelty"]) as file:
                return Novelty.from_table(tables.open_table(file))

        try:
            return self._novelties.get(chunks[0].key, read)
        except NotFoundError:
            if self.store.has_record("publish", chunks[0].key):
                raise
            return "the atlas is not complete, and what tells new images comes last; ask again when it is"
