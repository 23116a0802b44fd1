"""What goes over the wire, beyond the cards and the spec of atlas_core."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from atlas_core.batch import BatchRequest
from atlas_core.cards import Card, DatasetCard, LayerInfo, ModelCard, Name
from atlas_core.drift_plan import DriftRequest
from atlas_core.icons import IconsRequest
from atlas_core.spec import AtlasSpec
from atlas_core.webhooks import EVENTS, Event

Item = TypeVar("Item")
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ProblemPlace(BaseModel):
    """An offending place of a request."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemPlace] = []
    request_id: str | None = None


class Page(BaseModel, Generic[Item]):
    """Part of a list; ask for the next part with `page_token`."""

    items: list[Item]
    next_page_token: str | None = None


class Blob(BaseModel):
    """Stored bytes."""

    sha256: str
    bytes: int


class BlobPart(BaseModel):
    """An upload in parts: its first bytes up to `offset` are there, of `total`."""

    sha256: str
    offset: int
    total: int


class SignedUpload(BaseModel):
    """Where to PUT the bytes straight into the store, and what to POST to when that is done."""

    method: Literal["PUT"]
    url: str
    expires_seconds: int
    complete: str


class ModelRequest(Card):
    """A model to register; `dataset` names a labelled one on which to measure its accuracy."""

    card: ModelCard
    dataset: str | None = None


class DatasetRequest(Card):
    """A dataset to register."""

    card: DatasetCard


class AtlasRequest(AtlasSpec):
    """An atlas to make, with a name for people; with `dry_run` only what it would take is answered."""

    name: Name | None = None
    dry_run: bool = False


class Accuracy(BaseModel):
    """Shares of labelled images whose class is the first, or among the first five."""

    top1: float | None
    top5: float | None
    images: int
    dataset: str | None = None


class Registered(BaseModel):
    """What models and datasets have in common."""

    model_config = ConfigDict(extra="ignore")

    id: str
    name: str
    state: Literal["inspecting", "ready", "refused"]
    reasons: list[str]
    created: str


class Model(Registered):
    """A registered model."""

    card: ModelCard
    warnings: list[str]
    layers: list[LayerInfo]
    classes: int | None
    accuracy: Accuracy | None
    convertible: bool | None


class Dataset(Registered):
    """A registered dataset."""

    card: DatasetCard
    digest: str | None
    images: int
    classes: list[str] | None
    class_counts: dict[str, int] | None
    skipped: list[dict[str, Any]]

    @field_serializer("card")
    def _without_host_path(self, card: DatasetCard) -> DatasetCard:
        """`file:` places keep only the last part of their path; the rest is the host's business."""
        places = {"source": card.source, "root": card.root}
        hidden = {field: "file:" + place.rstrip("/").rpartition("/")[2]
                  for field, place in places.items() if place is not None and place.startswith("file:")}  # fmt: skip
        return card.model_copy(update=hidden)


class Progress(BaseModel):
    """Chunks of a stage; `fraction` counts those that run by how far they are."""

    done: int
    running: int
    total: int
    fraction: float


class JobError(BaseModel):
    """Why a job failed, and in which chunk."""

    type: str
    detail: str
    chunk: str | None = None


class Job(BaseModel):
    """A job; an atlas's id is its job's id. What is asked of an atlas names it, has its spec, and says its request."""

    id: str
    kind: str
    atlas: str | None = None
    request: IconsRequest | DriftRequest | BatchRequest | None = None
    name: str | None
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    attempt: int
    spec: AtlasSpec
    progress: dict[str, Progress]
    eta_seconds: float | None = None
    error: JobError | None
    created: str
    started: str | None
    finished: str | None
    digest: str | None
    links: dict[str, str]


class StageEstimate(BaseModel):
    """Chunks of a stage, in all and done already, and what the others would take."""

    total: int
    done: int
    bytes: int
    cpu_seconds: float


class DryRun(BaseModel):
    """What an atlas would take. `chunks`, `bytes` and seconds are of what is not done yet.

    `wall_seconds` is with the workers that live now and nothing else to do, null without any. `rates` says where the
    figures come from: `measured` by this deployment's finished jobs, `assumed` from a machine that the project
    measured because none has finished here, or `partly-measured` where some of the work is of a new kind.
    """

    id: str
    spec: AtlasSpec
    stages: dict[str, StageEstimate]
    chunks: int
    bytes: int
    cpu_seconds: float
    wall_seconds: float | None
    rates: Literal["measured", "partly-measured", "assumed"]


class EventItem(BaseModel):
    """What happened to a job; the data of each type stands in docs/http.md. No id: in the middle of a retold state."""

    id: str | None
    type: Literal["state", "progress", "tile", "error"]
    data: dict[str, Any]


class EventPage(BaseModel):
    """Some of a job's events in order; ask for what came after with `last_event_id`."""

    items: list[EventItem]
    last_event_id: str | None
    more: bool


class Atlas(Job):
    """An atlas; its manifest once it is published."""

    manifest: dict[str, Any] | None = None


class IconPicture(BaseModel):
    """A picture; beside these it says what it is of: channel, class and name, share of a walk, or column and row."""

    model_config = ConfigDict(extra="allow")

    n: int
    width: int
    height: int
    sha256: str
    url: str
    fidelity: dict[str, Any]


class IconSheet(BaseModel):
    """All pictures on one."""

    width: int
    height: int
    sha256: str
    url: str


class IconRecipe(BaseModel):
    """How icons were rendered."""

    name: str
    version: int


class IconsDescription(BaseModel):
    """What icons are, and how true; `side` is of the level whose cells were named or gave the starts.

    `seeded_from_data` says that pictures of the dataset, or the image that was sent, are where they start.
    """

    schema_version: int
    request: IconsRequest
    side: int
    recipe: IconRecipe | None
    seeded_from_data: bool
    pictures: list[IconPicture]
    sheet: IconSheet
    digest: str


class Icons(Job):
    """Icons that were asked for; what they are once they are made."""

    description: IconsDescription | None = None


class Tile(BaseModel):
    """A tile that has cells as it can be seen now: with `preview` until it is rendered by the atlas's recipe.

    `icon_size` is in pixels, of this picture; a preview's may be another than the level's.
    """

    x: int
    y: int
    digest: str
    icons: int
    icon_size: int
    recipe: str
    preview: bool
    url: str


class AliasRequest(Card):
    """What an alias is to name: a model, dataset or atlas, by its id or by another alias."""

    id: Annotated[str, Field(min_length=1, max_length=200)]


class AliasMove(BaseModel):
    """A move of an alias; to no id where it was deleted."""

    version: int
    kind: Literal["model", "dataset", "atlas"]
    id: str | None
    moved: str


class AliasItem(BaseModel):
    """What a name stands for."""

    name: str
    kind: Literal["model", "dataset", "atlas"]
    id: str
    moved: str


class Alias(AliasItem):
    """What a name stands for, and what it stood for before: its newest 100 moves, the newest first."""

    version: int
    history: list[AliasMove]


class WebhookRequest(Card):
    """Where the ends of jobs are to be told, and which."""

    url: Annotated[
        str, Field(min_length=1, max_length=2000, description="https://host/path, of a host that is allowed")
    ]
    events: list[Event] = Field(default=list(EVENTS), min_length=1, max_length=len(EVENTS))


class Webhook(BaseModel):
    """A webhook; `gone` once its receiver has answered 410."""

    id: str
    url: str
    events: list[str]
    state: Literal["active", "gone"]
    created: str


class NewWebhook(Webhook):
    """A webhook just made; its secret is not shown again."""

    secret: str


class Delivery(BaseModel):
    """What a webhook was owed: how often it was tried, the last answer, and when it is tried next."""

    id: str
    type: str
    job: str
    state: Literal["pending", "delivered", "failed"]
    attempts: int
    status: int | None
    error: str | None
    created: str
    due: str | None
    delivered: str | None


class EndedJob(BaseModel):
    """A job that has ended, as webhooks tell it; links are below the service's URL."""

    id: str
    kind: str
    name: str | None
    state: Literal["succeeded", "failed", "cancelled"]
    attempt: int
    digest: str | None
    error: JobError | None
    created: str
    started: str | None
    finished: str
    links: dict[str, str]


class WebhookEvent(BaseModel):
    """What is sent to a webhook, in the form of Standard Webhooks."""

    type: Event
    timestamp: str
    data: EndedJob


class WebhookDetails(Webhook):
    """A webhook with what is pending and its newest 20 deliveries, the newest first."""

    deliveries: list[Delivery]


class Level(BaseModel):
    """A level of a layer; `qualities` is its entry in the manifest, once it is published.

    It is `previewed` while all tiles that can be seen are previews. `icon_size` is that of the finished icons.
    `seeded_from_data` says whether pictures of the dataset went into its icons; null where there are none.
    """

    layer: str
    z: int
    side: int
    tile_side: int
    state: Literal["waiting", "previewed", "rendering", "published"]
    cells: int | None
    icon_size: int | None
    seeded_from_data: bool | None
    tiles: list[Tile]
    qualities: dict[str, Any] | None
    links: dict[str, str]


class ImageClass(BaseModel):
    """One of an image's strongest classes; `probability` by softmax over all."""

    index: int
    name: str
    logit: float
    probability: float


class CellPlace(BaseModel):
    """Column and row of a cell; row 0 is the top row."""

    column: int
    row: int


class PlacedPosition(BaseModel):
    """Where one position of an image lands: x to the right and y upwards in the unit square.

    `row` and `column` are of the layer's grid. `spread` is the weighted mean distance of the neighbours' points from
    (x, y), in sides of the map; it is `ambiguous` where no cluster of them holds half of the weight. `cells` has its
    cell at each level, by the level's cells a side. `distance` is the mean cosine distance to its nearest samples,
    `percentile` the share of the atlas's own samples that are no farther from the others.
    """

    row: int
    column: int
    x: Annotated[float, Field(ge=0, le=1)]
    y: Annotated[float, Field(ge=0, le=1)]
    spread: Annotated[float, Field(ge=0)]
    ambiguous: bool
    cells: dict[str, CellPlace]
    distance: Annotated[float, Field(ge=0, le=2)]
    percentile: Annotated[float, Field(ge=0, le=100)]


class PlacedLayer(BaseModel):
    """The positions of an image at a layer whose grid has so many rows and columns.

    `typical_share` is the share of them whose distance is under the 95th percentile of the atlas's own samples.
    """

    grid: tuple[int, int]
    positions: list[PlacedPosition]
    typical_share: Annotated[float, Field(ge=0, le=1)]


class NoveltyPart(BaseModel):
    """One look at an image: its p-value among the atlas's images, and how often its logarithm counts in the whole."""

    p: Annotated[float, Field(gt=0, le=1)]
    word: Literal["ordinary", "rare", "unseen"]
    weight: int
    says: str


class ImageNovelty(BaseModel):
    """Whether an image as a whole is new to the atlas.

    `novelty_p` is the share of images, this one among them, that are at least as strange, judged on `n` images of the
    atlas; small is strange: up to .01 `unseen`, up to .05 `rare`, else `ordinary`. `layers` are read for it, whichever
    the atlas maps. `blind_spots` says what it is known not to see.
    """

    novelty_p: Annotated[float, Field(gt=0, le=1)]
    word: Literal["ordinary", "rare", "unseen"]
    n: int
    parts: dict[str, NoveltyPart]
    blind_spots: list[str]
    layers: list[str]


class Projection(BaseModel):
    """Where an image lands on an atlas; the same bytes whoever asks, whenever, beside whom.

    `novelty` is null where the atlas cannot tell, for the `novelty_reason`.
    """

    atlas: str
    classes: list[ImageClass]
    layers: dict[str, PlacedLayer]
    novelty: ImageNovelty | None
    novelty_reason: str | None = None


class ClassName(BaseModel):
    """A class by its number and its name."""

    index: int
    name: str


class Position(BaseModel):
    """A position in a layer's grid."""

    row: int
    column: int


class Sample(BaseModel):
    """One activation and where it came from.

    `image` is its id, with privacy `strict` its place in the listing; `row` and `column` are in the layer's grid, `x`
    and `y` on the map. `label` is the image's, `predicted` what the network takes it for, null where there is none;
    `right` whether both are the same. `distance` is told where samples are ordered by it, and `at` from which position
    of an image that was sent. `crop` is where a picture of its receptive field is, null with privacy `strict`.
    """

    sample: int
    image: str | int
    row: int
    column: int
    x: float
    y: float
    label: ClassName | None
    predicted: ClassName | None
    right: bool | None
    distance: float | None = None
    at: Position | None = None
    crop: str | None


class SamplePage(Page[Sample]):
    """Part of the samples that were asked for, of `total` in all."""

    total: int


class Health(BaseModel):
    """Liveness."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """What the service depends on, and whether each can be used."""

    status: Literal["ready"]
    redis: bool
    store: bool
    workers: dict[str, int]
