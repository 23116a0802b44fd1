"""Keys, tokens, quotas and logs of a service that is told otherwise, over a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from service.main import create_app
from service.settings import ServiceSettings
from tests.service.access.conftest import SPEC, Secured, add_ready, log as log  # the fixture
from tests.service.access.test_tokens import AUDIENCE, RULES, Issuer
from tests.service.serving import serving
from tests.service.test_projections import until

if TYPE_CHECKING:
    from service.dependencies import Services


@pytest.fixture(scope="module")
def issuers() -> Iterator[tuple[Issuer, Issuer]]:
    """One that describes itself, and one that only has the keys of the first."""
    one, other = Issuer(), Issuer()
    one.keys_url, other.keys = "http://127.0.0.1:9/jwks", one.keys
    yield one, other
    for issuer in (one, other):
        issuer.server.shutdown()
        issuer.server.server_close()


@pytest.fixture(scope="module")
def told(
    issuers: tuple[Issuer, Issuer], redis_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Secured]:
    settings = ServiceSettings(
        store_url=str(tmp_path_factory.mktemp("told") / "store"), redis_url=redis_server.replace("/0", "/10"),
        access="keys", key_cache_seconds=0, session_hours=0.5, requests_per_minute=30,
        jobs_per_day=1, upload_bytes_per_day=10, stored_bytes=50, audit_reads=True,
        oidc_issuer=issuers[0].url, oidc_audience=AUDIENCE, oidc_rules=RULES,
        oidc_keys_url=f"{issuers[1].url}/jwks", oidc_leeway_seconds=300,
    )  # fmt: skip
    app = create_app(settings)
    with serving(app) as url:
        services: Services = app.state.services
        yield Secured(url, services, add_ready(services.store, "vision"))


def test_a_session_lives_for_the_hours(told: Secured) -> None:
    key = told.key("vision", "read")
    signed = httpx.post(f"{told.url}/v1/session", json={"key": key}, headers={"sec-fetch-site": "same-origin"})
    assert "max-age=1800" in signed.headers["set-cookie"].lower()


def test_a_key_asks_so_often_a_minute_and_is_told_to_wait(told: Secured) -> None:
    with told.client(told.key("pace", "read")) as client:
        codes = [200]
        while codes[-1] == 200 and len(codes) < 100:
            codes.append(client.get("/v1/session").status_code)
    assert codes[:6] == [200] * 6  # ten seconds' worth
    assert codes[-1] == 429


def test_a_key_makes_so_many_jobs_and_uploads_so_many_bytes_a_day(told: Secured) -> None:
    with told.client(told.key("vision", "write")) as client:
        codes = [client.post("/v1/atlases", json={**told.named, **SPEC, "seed": seed}).status_code for seed in (1, 2)]
        assert codes == [202, 429]
        assert client.put(f"/v1/blobs/{'1' * 64}", content=b"x" * 11).status_code == 429


def test_what_an_owner_has_stored_is_bounded(told: Secured) -> None:
    with told.client(told.key("hoarder", "write", limits={"upload_bytes_per_day": 1000})) as client:
        refused = client.put(f"/v1/blobs/{'1' * 64}", content=b"x" * 51)
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (403, "over-quota")
    assert "of the 50 " in refused.json()["detail"]


def test_what_was_only_read_is_logged_too(told: Secured, log: list[dict[str, Any]]) -> None:
    with told.client(told.key("vision", "read")) as client:
        assert client.get("/v1/models").status_code == 200
    until(lambda: log, 10)
    assert (log[0]["thing"], log[0]["outcome"]) == ("/v1/models", "done")


def test_a_token_late_by_less_than_the_leeway_is_taken_with_keys_from_where_they_are_named(
    told: Secured, issuers: tuple[Issuer, Issuer]
) -> None:
    for minutes, status in ((4, 200), (6, 401)):
        late = issuers[0].token(exp=datetime.now(UTC) - timedelta(minutes=minutes))
        answer = httpx.get(f"{told.url}/v1/session", headers={"authorization": f"Bearer {late}"})
        assert answer.status_code == status
    assert (issuers[0].asked, issuers[1].asked) == ([], ["/jwks"])
