from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atlas_core import registry
from atlas_core.redis_client import connect
from atlas_core.store import Store, open_store
from service.access.limits import Limits
from service.access.principal import Principal, QuotaError
from service.access.quotas import COUNTED, FRESH, Quotas
from service.settings import ServiceSettings
from tests.service.access.conftest import Secured, add_ready, in_a_loop

if TYPE_CHECKING:
    from tests.service.access.test_admission import Asker

HOUR = 3600.0
WHO, PARTNER = (Principal.of(f"key:{name}", name, "vision", frozenset({"write"})) for name in ("a", "b"))
OTHER = Principal.of("key:c", "c", "speech", frozenset({"write"}))


class Clock:
    seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def quotas(store: Store, redis_server: str) -> Iterator[tuple[Quotas, Clock]]:
    url = redis_server.replace("/0", "/8")
    with connect(url) as client:
        client.flushdb()
        client.set(FRESH, 1)  # counted only where a test says so
        settings, clock = ServiceSettings(redis_url=url, stored_bytes=100, garbage_hours=2), Clock()
        limits = Limits(settings)
        quotas = Quotas(settings, limits, store, clock)
        yield quotas, clock
        quotas.close()
        in_a_loop(limits.close())


def test_uploads_are_held_at_once_by_all_keys_of_an_owner(quotas: tuple[Quotas, Clock]) -> None:
    quota, _ = quotas
    quota.hold(WHO, 60)
    with pytest.raises(QuotaError, match=r"'vision' owns takes 60 bytes of the 100 .* 41 more are too many; delete"):
        quota.hold(PARTNER, 41)
    quota.hold(PARTNER, 40)  # what was refused is not held
    with pytest.raises(QuotaError, match="takes 100 bytes of the 100 that it may; delete"):
        quota.hold(WHO)
    quota.hold(OTHER, 100)
    quota.hold(Principal.of("key:d", "d", "vision", frozenset({"write"}), {"stored_bytes": 0}), 10**12)


def test_a_count_takes_what_is_owned_and_what_was_uploaded_and_is_there(
    quotas: tuple[Quotas, Clock], store: Store
) -> None:
    quota, clock = quotas
    model = add_ready(store, "vision", "x" * 30)["model"]
    quota.hold(WHO, 20)
    quota.uploaded(WHO, store.put_blob(b"y" * 20))
    quota.hold(WHO, 50)  # and what came of that was never stored
    quota.count()
    quota.hold(WHO, 50)
    with pytest.raises(QuotaError, match="takes 100 bytes"):
        quota.hold(WHO, 1)
    quota.count()
    clock.seconds += 2 * HOUR + 1  # the upload was not registered: it is garbage, and no longer anybody's
    quota.count()
    quota.hold(WHO, 70)
    quota.count()
    registry.disown(store, "models", model, "vision")
    store.delete_document("models", model)
    quota.count()
    quota.hold(WHO, 100)


def test_a_count_is_begun_by_who_asks_and_believed(
    quotas: tuple[Quotas, Clock], store: Store, redis_server: str
) -> None:
    quota, _ = quotas
    add_ready(store, "vision", "x" * 130)
    with connect(redis_server.replace("/0", "/8")) as client:
        quota.hold(WHO, 1)  # somebody has just counted
        client.delete(FRESH)
        quota.hold(WHO)
        quota.close()  # waits for the count
        assert client.hgetall(COUNTED) == {"vision": "130"}
        assert 0 < int(client.ttl(FRESH)) <= 60
    with pytest.raises(QuotaError, match="takes 130 bytes of the 100"):
        quota.hold(WHO)


def test_who_has_too_much_is_refused_uploads_and_new_jobs(secured: Secured, asker: Asker) -> None:
    spec: dict[str, Any] = {**secured.named, "layers": ["features.3"], "samples": 300, "levels": [5], "seed": 77}
    token = secured.key("vision", "write", limits={"stored_bytes": 5})
    with secured.client(token) as client:
        refused = client.put(f"/v1/blobs/{'1' * 64}", content=b"x" * 6)
        assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (403, "over-quota")
        secured.services.access.quotas.count()  # the model of this owner takes 7 bytes
        assert client.post("/v1/atlases", json=spec).json()["type"].endswith("over-quota")
        assert client.get("/v1/atlases").status_code == 200
    assert asker("vision", "write").post("/v1/atlases", json=spec).status_code == 202
