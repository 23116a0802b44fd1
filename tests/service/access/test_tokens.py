"""Tokens of a local issuer: a real HTTP server with real keys, checked by the real library."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from pydantic import ValidationError

from atlas_core.errors import DependencyError
from service.access.principal import ForbiddenError, UnauthorizedError
from service.access.tokens import OidcRule, Tokens
from service.main import create_app
from service.settings import ServiceSettings
from tests.service.serving import serving

RULES = [
    OidcRule(claims={"repository": "acme/vision", "ref": "refs/heads/main"}, scopes=frozenset({"write"}), owner="acme"),
    OidcRule(claims={"repository": "acme/*"}, scopes=frozenset({"read"}), owner="acme"),
]
AUDIENCE = "https://atlas.example"


class Issuer:
    """An issuer of tokens with its description and its signing keys at 127.0.0.1."""

    def __init__(self) -> None:
        self.keys = {"one": ec.generate_private_key(ec.SECP256R1())}
        self.asked: list[str] = []
        self.keys_url: str | None = None
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                found = issuer.answer(self.path)
                self.send_response(200 if found else 404)
                self.end_headers()
                self.wfile.write(json.dumps(found).encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def answer(self, path: str) -> dict[str, Any] | None:
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": self.keys_url or f"{self.url}/jwks"}
        if path != "/jwks":
            return None
        return {"keys": [{**json.loads(ECAlgorithm.to_jwk(key.public_key())), "kid": name, "use": "sig", "alg": "ES256"}
                         for name, key in self.keys.items()]}  # fmt: skip

    def token(self, *, key: Any = None, name: str = "one", algorithm: str = "ES256", **changes: Any) -> str:
        now = datetime.now(UTC)
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "repo:acme/vision:ref:refs/heads/main",
            "iat": now,
            "exp": now + timedelta(minutes=5),
            "repository": "acme/vision",
            "ref": "refs/heads/main",
            **changes,
        }
        claims = {field: value for field, value in claims.items() if value is not None}
        return jwt.encode(claims, key or self.keys["one"], algorithm, headers={"kid": name})


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.server.shutdown()
    issuer.server.server_close()


def tokens(issuer: Issuer, **options: Any) -> Tokens:
    return Tokens(issuer.url, AUDIENCE, RULES, **options)


def test_a_token_acts_as_the_first_rule_that_fits_says(issuer: Issuer) -> None:
    known = tokens(issuer)
    found = known.find(issuer.token())
    assert (found.id, found.owner) == ("oidc:repo:acme/vision:ref:refs/heads/main", "acme")
    assert found.scopes == {"read", "write"}
    assert known.find(issuer.token(ref="refs/pull/1/merge")).scopes == {"read"}
    with pytest.raises(ForbiddenError, match="no rule of ATLAS_OIDC_RULES fits"):
        known.find(issuer.token(repository="mallory/acme"))
    assert issuer.asked == ["/.well-known/openid-configuration", "/jwks"]  # kept, and not asked at every request


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://elsewhere.example"}, "issuer"),
        ({"aud": "https://other.example"}, "[Aa]udience"),
        ({"exp": datetime.now(UTC) - timedelta(minutes=2)}, "expired"),
        ({"nbf": datetime.now(UTC) + timedelta(hours=2)}, "not yet valid"),
        ({"exp": None}, "exp"),
        ({"aud": None}, "aud"),
        ({"name": "two"}, "none of the issuer's"),
        ({"key": ec.generate_private_key(ec.SECP256R1())}, "[Ss]ignature"),
        ({"key": "a secret of thirty-two characters", "algorithm": "HS256"}, "alg value is not allowed"),
        ({"repository": "x" * 20_000}, "too long"),
    ],
)
def test_what_the_issuer_did_not_sign_for_us_and_for_now_is_refused(
    issuer: Issuer, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UnauthorizedError, match=reason):
        tokens(issuer).find(issuer.token(**changes))


def test_unsigned_tokens_and_what_is_none_are_refused(issuer: Issuer) -> None:
    unsigned = jwt.encode({"iss": issuer.url, "aud": AUDIENCE, "sub": "x"}, "", "none", headers={"kid": "one"})
    for token in (unsigned, "a.b.c", "nothing", ""):
        with pytest.raises(UnauthorizedError):
            tokens(issuer).find(token)


def test_clocks_may_differ_by_the_stated_seconds(issuer: Issuer) -> None:
    late = issuer.token(exp=datetime.now(UTC) - timedelta(seconds=30))
    assert tokens(issuer, leeway=60).find(late).owner == "acme"
    with pytest.raises(UnauthorizedError):
        tokens(issuer, leeway=5).find(late)


def test_a_new_signing_key_is_looked_for_but_not_at_every_request(issuer: Issuer) -> None:
    now = [0.0]
    known = tokens(issuer, clock=lambda: now[0])
    known.find(issuer.token())
    issuer.keys["two"] = ec.generate_private_key(ec.SECP256R1())
    fresh = issuer.token(key=issuer.keys["two"], name="two")
    for _ in range(5):
        with pytest.raises(UnauthorizedError):
            known.find(fresh)
    assert len(issuer.asked) == 2
    now[0] = 31
    assert known.find(fresh).owner == "acme"


def test_keys_come_from_the_issuer_s_own_host_or_where_the_operator_says(issuer: Issuer) -> None:
    issuer.keys_url = "http://127.0.0.1:9/jwks"
    with pytest.raises(DependencyError, match="cannot be asked for its signing keys"):
        tokens(issuer).find(issuer.token())
    assert tokens(issuer, keys_url=f"{issuer.url}/jwks").find(issuer.token()).owner == "acme"


def test_a_rule_must_name_claims_and_an_issuer_its_audience() -> None:
    with pytest.raises(ValidationError):
        OidcRule(claims={}, scopes=frozenset({"read"}), owner="acme")
    with pytest.raises(ValidationError, match="ATLAS_OIDC_AUDIENCE"):
        ServiceSettings(oidc_issuer="https://issuer.example")
    with pytest.raises(ValidationError):
        ServiceSettings(oidc_issuer="http://issuer.example", oidc_audience="a", oidc_rules=RULES)


def test_a_token_lets_in_to_the_service(
    issuer: Issuer, redis_server: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = ServiceSettings(
        store_url=str(tmp_path_factory.mktemp("oidc")), redis_url=redis_server.replace("/0", "/7"), access="keys",
        oidc_issuer=issuer.url, oidc_audience=AUDIENCE, oidc_rules=RULES,
    )  # fmt: skip
    with serving(create_app(settings)) as url:
        asked = httpx.get(f"{url}/v1/session", headers={"authorization": f"Bearer {issuer.token()}"})
        assert asked.json() == {"access": "keys", "name": "repo:acme/vision:ref:refs/heads/main", "owner": "acme",
                                "scopes": ["read", "write"]}  # fmt: skip
        refused = httpx.get(f"{url}/v1/models", headers={"authorization": f"Bearer {issuer.token(aud='x')}"})
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer realm="atlas"')
