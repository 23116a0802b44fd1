"""The service, spoken to over HTTP (docs: the service's own /openapi.json)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

import httpx

from atlas_client.cards import file_sha256, resolve_dataset_card, resolve_model_card
from atlas_client.errors import (
    BadInputError,
    ClientError,
    ConflictError,
    JobError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from atlas_client.events import OUTAGE, TERMINAL, Event, follow
from atlas_client.many import in_order, patiently
from atlas_client.pictures import Picture, media_type, picture_bytes
from atlas_client.problems import check, reaching
from atlas_client.uploads import OnBytes, Upload

if TYPE_CHECKING:
    from atlas_client.projection import Projection

DEFAULT_URL = "http://127.0.0.1:8000"
INSPECTED = ("ready", "refused")
POLL_FIRST, POLL_LAST = 0.2, 2.0  # seconds between looks at a job, growing
AT_A_TIME = 8  # images projected
LOOK = 1.0  # seconds between looks at a job of which events come

Document: TypeAlias = dict[str, Any]
OnDocument: TypeAlias = Callable[[Document], None]


class Client:
    """One service.

    Args:
        url: Where it is, such as `http://127.0.0.1:8000`.
        timeout: Seconds to wait for each answer.
        transport: Another way to reach it, for tests.
        on_upload: Called with bytes sent and bytes in all while a file is uploaded.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        timeout: float = 60.0,
        *,
        transport: httpx.BaseTransport | None = None,
        on_upload: OnBytes | None = None,
    ) -> None:
        """Open the connection pool; nothing is sent yet."""
        if not url.startswith(("http://", "https://")):
            raise BadInputError(f"{url!r} is no URL of a service; write it as http://host:port")
        self.url = url.rstrip("/")
        self._on_upload = on_upload
        self._http = httpx.Client(base_url=self.url, timeout=timeout, transport=transport, follow_redirects=True)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection pool."""
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request and read the answer.

        Args:
            method: HTTP method.
            path: Path below the service's URL, its parts already percent-encoded.
            **options: As for `httpx.Client.request`.

        Raises:
            RefusedError: The service refuses it.
            UnavailableError: The service cannot be reached or cannot work.
        """
        return check(self.ask(method, path, **options))

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request and read the answer whatever its status; arguments of `request`.

        Raises:
            UnavailableError: The service cannot be reached.
        """
        with reaching(self.url):
            return self._http.request(method, path, **options)

    def json(self, method: str, path: str, **options: Any) -> Document:
        """Send a request whose answer is a JSON object; arguments and errors of `request`."""
        try:
            value = self.request(method, path, **options).json()
        except ValueError:
            raise UnavailableError(f"what answers at {self.url}{path} is no atlas service") from None
        if not isinstance(value, dict):
            raise UnavailableError(f"what answers at {self.url}{path} is no atlas service")
        return value

    # Blobs, models, datasets

    def upload(self, file: Path) -> str:
        """Upload a file unless the service has its bytes already; gives its SHA-256 in hex.

        A large one goes straight into the store where that can be, else in parts, from where an earlier upload ended.

        Raises:
            BadInputError: The file cannot be read, or the service refuses it.
            UnavailableError: The service cannot be reached, or for too long.
        """
        try:
            digest, size = file_sha256(file), file.stat().st_size
        except OSError as error:
            raise BadInputError(f"cannot read {file}: {error.strerror}") from None
        Upload(self, file, digest, size, self._on_upload).run()
        return digest

    def add_model(self, card: str | Path, dataset: str | None = None) -> Document:
        """Register a model by its card; the files that it names are uploaded.

        Args:
            card: The card's file.
            dataset: Id of a labelled dataset on which the service measures the model's accuracy.
        """
        body: Document = {"card": resolve_model_card(Path(card), self.upload)}
        return self.json("POST", "/v1/models", json=body | ({"dataset": dataset} if dataset else {}))

    def add_dataset(self, card: str | Path) -> Document:
        """Register a dataset by its card; its zip, or its folder packed into one, is uploaded."""
        return self.json("POST", "/v1/datasets", json={"card": resolve_dataset_card(Path(card), self.upload)})

    def model(self, name: str) -> Document:
        """A registered model."""
        return self.json("GET", f"/v1/models/{quote(name, safe='')}")

    def dataset(self, name: str) -> Document:
        """A registered dataset."""
        return self.json("GET", f"/v1/datasets/{quote(name, safe='')}")

    def models(self) -> list[Document]:
        """All registered models."""
        return list(self.items("/v1/models"))

    def datasets(self) -> list[Document]:
        """All registered datasets."""
        return list(self.items("/v1/datasets"))

    def atlases(self) -> list[Document]:
        """All atlases."""
        return list(self.items("/v1/atlases"))

    def items(self, path: str, **filters: str) -> Iterator[Document]:
        """Everything of a list, or what its filters let through, page by page; errors of `request`."""
        token: str | None = None
        while True:
            page = self.json("GET", path, params=filters | ({"page_token": token} if token else {}))
            yield from page["items"]
            token = page.get("next_page_token")
            if not token:
                return

    def wait_ready(self, kind: str, name: str, on_progress: OnDocument | None = None) -> Document:
        """Wait until a model or dataset is inspected.

        Args:
            kind: `models` or `datasets`.
            name: Its id.
            on_progress: Called with every document seen.

        Raises:
            BadInputError: It was refused; says why.
        """
        path = f"/v1/{kind}/{quote(name, safe='')}"
        value = self._poll(path, INSPECTED, on_progress)
        if value["state"] == "refused":
            reasons = "; ".join(value.get("reasons") or ["no reason given"])
            raise BadInputError(f"the {kind[:-1]} {value.get('name', name)!r} was refused: {reasons}")
        return value

    # Aliases

    def set_alias(self, name: str, target: str) -> Document:
        """Have a name stand for a model, dataset or atlas, wherever an id is taken.

        Args:
            name: The alias, such as `pan-vision@prod`; moved where it names another.
            target: Id, or another alias, of what it is to name.
        """
        return self.json("PUT", f"/v1/aliases/{quote(name, safe='')}", json={"id": target})

    def alias(self, name: str) -> Document:
        """What an alias names, and its newest moves."""
        return self.json("GET", f"/v1/aliases/{quote(name, safe='')}")

    def aliases(self) -> list[Document]:
        """All aliases."""
        return list(self.items("/v1/aliases"))

    def delete_alias(self, name: str) -> None:
        """Have a name stand for nothing; its history is kept."""
        self.request("DELETE", f"/v1/aliases/{quote(name, safe='')}")

    # Atlases

    def submit(self, spec: Mapping[str, Any]) -> Document:
        """Ask for an atlas.

        Args:
            spec: model, dataset, layers and what else POST /v1/atlases takes.
        """
        return self.json("POST", "/v1/atlases", json=dict(spec))

    def dry_run(self, spec: Mapping[str, Any]) -> Document:
        """What an atlas would take: chunks, bytes and seconds; nothing is made. Arguments as for `submit`."""
        return self.json("POST", "/v1/atlases", json={**spec, "dry_run": True})

    def events(
        self, atlas: str, last_event_id: str | None = None, patience: float = OUTAGE
    ) -> Generator[Event, None, None]:
        """What happens to an atlas, until it has ended; a broken connection is taken up where it broke.

        Args:
            atlas: Its id.
            last_event_id: Id of the last event that is known already; None for all that are kept.
            patience: Seconds of a service that gives no events after which to give up.

        Raises:
            NotFoundError: There is no such atlas.
            UnavailableError: The service gives no events for longer than that.
        """
        return follow(self._http, self.url, f"/v1/atlases/{quote(atlas, safe='')}/events", last_event_id, patience)

    def status(self, atlas: str) -> Document:
        """State and progress of an atlas, and its manifest once it is published."""
        return self.json("GET", f"/v1/atlases/{quote(atlas, safe='')}")

    def tile(self, atlas: str, layer: str, z: int, x: int, y: int) -> tuple[bytes, bool] | None:
        """A block of 10 x 10 icons of an atlas, finished or not.

        Args:
            atlas: Its id.
            layer: Name of the layer.
            z: Level, from 0, the coarsest.
            x: Column of the tile.
            y: Row of the tile.

        Returns:
            WebP, and whether it is a preview that the tile itself will replace. None where it is not there yet: ask
            again, it is now made before its turn.

        Raises:
            NotFoundError: There is no such tile, or it has no cell.
        """
        place = f"/v1/atlases/{quote(atlas, safe='')}/layers/{quote(layer, safe='')}/levels/{z}/tiles/{x}/{y}"
        try:
            response = self.request("GET", place)
        except NotFoundError as error:
            if error.slug == "not-yet":
                return None
            raise
        return response.content, response.headers.get("atlas-preview") == "true"

    def cancel(self, atlas: str) -> Document:
        """Cancel an atlas; what is finished is kept."""
        return self.json("POST", f"/v1/atlases/{quote(atlas, safe='')}/cancel")

    def wait(self, atlas: str, on_progress: OnDocument | None = None) -> Document:
        """Wait until an atlas has succeeded, by its events, or by asking again and again where they cannot be had.

        Args:
            atlas: Its id.
            on_progress: Called with every document seen; may raise to stop waiting.

        Raises:
            RefusedError: It failed by its input, such as too many corrupt images.
            JobError: It failed otherwise, or was cancelled.
        """
        return self._wait(f"/v1/atlases/{quote(atlas, safe='')}", on_progress)

    def _wait(self, path: str, on_progress: OnDocument | None) -> Document:
        value = self.json("GET", path)
        if on_progress:
            on_progress(value)
        if value["state"] not in TERMINAL:
            self._sit_out(path, on_progress)
            value = self._poll(path, TERMINAL, on_progress)
        if value["state"] != "succeeded":
            raise job_error(value)
        return value

    def _sit_out(self, path: str, on_progress: OnDocument | None) -> None:
        """Look at a job whenever something happened to it, until it has ended or its events cannot be had now."""
        looked = time.monotonic()

        def look() -> None:
            nonlocal looked
            if on_progress and time.monotonic() - looked > LOOK:
                looked = time.monotonic()
                on_progress(self.json("GET", path))

        events = follow(self._http, self.url, f"{path}/events", patience=0, on_beat=look)
        with contextlib.suppress(ClientError), contextlib.closing(events):
            for event in events:
                if event.type == "state" and event.data["state"] in TERMINAL:
                    return
                look()

    def _poll(self, path: str, until: Sequence[str], on_progress: OnDocument | None) -> Document:
        pause, reached = POLL_FIRST, time.monotonic()
        while True:
            try:
                value = self.json("GET", path)
            except UnavailableError:
                # A job outlives a restart of what it runs on, so waiting for one does too.
                if time.monotonic() - reached > OUTAGE:
                    raise
                time.sleep(POLL_LAST)
                continue
            reached = time.monotonic()
            if on_progress:
                on_progress(value)
            if value["state"] in until:
                return value
            time.sleep(pause)
            pause = min(POLL_LAST, pause * 1.3)

    # Icons on request

    def icons(self, atlas: str, request: Mapping[str, Any]) -> Document:
        """Ask for icons beyond a map's own: a channel, a walk, the grid of an image, a dream and so on.

        Args:
            atlas: The atlas's id.
            request: `kind` and what else POST /v1/atlases/{atlas}/icons takes; an `image` or `mask` given as a Path is
                uploaded.

        Returns:
            The job; give it to `made_icons`.
        """
        body = {name: self.upload(value) if isinstance(value, Path) else value for name, value in request.items()}
        return self.json("POST", f"/v1/atlases/{quote(atlas, safe='')}/icons", json=body)

    def made_icons(self, job: Document, on_progress: OnDocument | None = None) -> Document:
        """Wait until icons are made; then they have a `description`, whose pictures and sheet each have a `url`.

        Args:
            job: From `icons`.
            on_progress: Called with every document seen; may raise to stop waiting.

        Raises:
            RefusedError: They failed by their input.
            JobError: They failed otherwise, or were cancelled.
        """
        return self._made(job, on_progress)

    def _made(self, job: Document, on_progress: OnDocument | None) -> Document:
        self._wait(f"/v1/jobs/{job['id']}", on_progress)
        return self.json("GET", job["links"]["self"])

    def all_icons(self, atlas: str) -> list[Document]:
        """The jobs of all icons that were asked for of an atlas."""
        return list(self.items(f"/v1/atlases/{quote(atlas, safe='')}/icons"))

    def picture(self, url: str) -> bytes:
        """The bytes of a picture by its URL below the service's."""
        return self.request("GET", url).content

    # Drift

    def drift(self, atlas: str, dataset: str, **options: Any) -> Document:
        """Ask whether a dataset differs from the one that an atlas was made of.

        Args:
            atlas: The atlas's id.
            dataset: Id or alias of a dataset.
            **options: What else POST /v1/atlases/{atlas}/drift takes: layers, images, permutations, alpha, detect,
                seed, series.

        Returns:
            The job; give it to `made_drift`.
        """
        return self.json("POST", f"/v1/atlases/{quote(atlas, safe='')}/drift", json={"dataset": dataset, **options})

    def made_drift(self, job: Document, on_progress: OnDocument | None = None) -> Document:
        """Wait until a comparison is made; then it has a `summary` and a `description`. As `made_icons`."""
        return self._made(job, on_progress)

    def all_drift(self, atlas: str, series: str | None = None) -> list[Document]:
        """The comparisons that were asked for of an atlas, or of a series of it, in time; each with its `summary`."""
        filters = {} if series is None else {"series": series}
        return list(self.items(f"/v1/atlases/{quote(atlas, safe='')}/drift", **filters))

    # Projections

    def project(
        self, atlas: str, image: Picture, layers: Sequence[str] | None = None, positions: str = "default"
    ) -> Projection:
        """Where the positions of an image land on an atlas; a dictionary that draws itself.

        Args:
            atlas: The atlas's id.
            image: A file, the bytes of a JPEG, PNG or WebP, or a picture.
            layers: Layers to answer for; None for all of the atlas.
            positions: `default` (at most 14 x 14 a layer) or `all`.

        Raises:
            RefusedError: The service takes it for no image.
        """
        data = picture_bytes(image)
        parameters: list[tuple[str, str]] = [("layers", layer) for layer in layers or ()]
        if positions != "default":
            parameters.append(("positions", positions))
        path = f"/v1/atlases/{quote(atlas, safe='')}/projections"
        headers = {"content-type": media_type(data)}
        answer = self.json("POST", path, content=data, params=parameters, headers=headers)
        return self._projection(atlas, image, data, answer)

    def _projection(self, atlas: str, image: Picture, data: bytes, answer: Document) -> Projection:
        from atlas_client.atlas import Atlas
        from atlas_client.projection import Projection  # loads numpy, which most commands do without

        place = f"{self.url}/v1/atlases/{quote(atlas, safe='')}"
        name = Path(image).name if isinstance(image, str | Path) else ""
        return Projection(answer, data, name, lambda: Atlas.open(place))

    def project_many(
        self,
        atlas: str,
        images: Iterable[Picture],
        layers: Sequence[str] | None = None,
        positions: str = "default",
        *,
        at_a_time: int = AT_A_TIME,
    ) -> Iterator[Projection | BadInputError]:
        """Project images, a few at a time; a busy service is waited for.

        Args:
            atlas: The atlas's id.
            images: As for `project`; taken as their turn comes, so there may be any number.
            layers: As for `project`.
            positions: As for `project`.
            at_a_time: Requests under way at a time.

        Yields:
            The answers in the order of the images; an image that is refused gives its error in its place.

        Raises:
            NotFoundError: There is no such atlas.
            ConflictError: It cannot place images yet.
            UnavailableError: The service cannot be reached, or is busy for too long.
        """

        def ask(image: Picture) -> Projection | BadInputError:
            try:
                return patiently(lambda: self.project(atlas, image, layers, positions), OUTAGE)
            except (NotFoundError, ConflictError):  # of the atlas, not of this image
                raise
            except BadInputError as error:
                return error

        return in_order(ask, images, at_a_time)


def job_error(value: Document) -> JobError | RefusedError:
    """Why a job that ended did not succeed, from its document."""
    error = value.get("error") or {}
    detail = str(error.get("detail") or error.get("title") or "no reason given")
    slug = str(error.get("type", "")).rstrip("/").rpartition("/")[2]
    what = "atlas" if value.get("kind", "atlas") == "atlas" else "job"
    if value["state"] == "cancelled":
        return JobError(f"the {what} {value['id']} was cancelled; submit it again to continue", "cancelled")
    if slug.startswith(("invalid-", "unknown-", "unsupported-")):
        return RefusedError(detail, 422, slug)
    return JobError(f"the {what} {value['id']} failed: {detail}", "failed")
