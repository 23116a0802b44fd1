"""A service that asks for keys, behind a real socket, with a real Redis and a model and a dataset of one owner."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import pytest

from atlas_core import registry
from atlas_core.cards import DatasetCard, InputCard, ModelCard
from atlas_core.store import Store, open_store
from service.access import keys
from service.main import create_app
from service.settings import ServiceSettings
from tests.service.serving import serving

if TYPE_CHECKING:
    from service.access.principal import Scope
    from service.dependencies import Services

Result = TypeVar("Result")
SHA = "0" * 64
INPUT = InputCard(channels=3, height=96, width=96, mean=[0] * 3, std=[1] * 3)
SPEC = {"layers": ["features.3"], "samples": 300, "levels": [5]}


def in_a_loop(work: Coroutine[Any, Any, Result]) -> Result:
    """Do work in an event loop of its own; a browser may hold one in this thread."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()


def add_ready(store: Store, owner: str, content: str = "content") -> dict[str, str]:
    """A model and a dataset of an owner as a worker leaves them, as a request names them."""
    card = ModelCard(name="m", format="onnx", source=f"sha256:{store.put_blob(content.encode())}", input=INPUT)
    model = registry.add_model(store, card, owner=owner)["id"]
    layers = [{"name": "features.3", "shape": [8, 12, 12], "receptive_field": None}]
    registry.update(store, "models", model, state="ready", layers=layers, classes=None, convertible=True)
    dataset = registry.add_dataset(store, DatasetCard(name="d", source="sha256:" + SHA), content, owner)["id"]
    registry.update(store, "datasets", dataset, state="ready", images=64, listing=SHA, digest="d")
    return {"model": model, "dataset": dataset}


@pytest.fixture
def log() -> Iterator[list[dict[str, Any]]]:
    """The lines of the audit log."""
    lines: list[dict[str, Any]] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(record.getMessage()))

    handler, logger = Kept(), logging.getLogger("atlas.audit")
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


@dataclass(frozen=True)
class Secured:
    """The service's address, its parts, and a request of the owner `vision`."""

    url: str
    services: Services
    named: dict[str, str]

    def key(self, owner: str, *scopes: Scope, **options: Any) -> str:
        """A new key."""
        token, _ = keys.create(self.services.store, f"{owner}'s", owner, scopes, by="the tests", **options)
        return token

    def client(self, token: str | None = None) -> httpx.Client:
        """Whoever asks with a key, or without any."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)


@pytest.fixture(scope="session")
def secured(redis_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    settings = ServiceSettings(
        store_url=str(tmp_path_factory.mktemp("secured") / "store"), redis_url=redis_server.replace("/0", "/7"),
        access="keys", key_cache_seconds=0,
    )  # fmt: skip
    app = create_app(settings)
    with serving(app) as url:
        services: Services = app.state.services
        yield Secured(url, services, add_ready(services.store, "vision"))


@pytest.fixture
def asker(secured: Secured) -> Iterator[Callable[..., httpx.Client]]:
    """Makes clients with keys of an owner and scopes, and closes them."""
    made: list[httpx.Client] = []

    def client(owner: str, *scopes: Scope) -> httpx.Client:
        made.append(secured.client(secured.key(owner, *scopes)))
        return made[-1]

    yield client
    for one in made:
        one.close()


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """An empty store."""
    return open_store(str(tmp_path_factory.mktemp("store")))
