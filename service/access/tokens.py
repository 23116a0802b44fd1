"""OIDC bearer tokens: signed by the one issuer that the operator trusts, so that a CI job needs no stored secret."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field

from atlas_core.errors import DependencyError
from atlas_core.owners import NAME as OWNER
from service.access.principal import ForbiddenError, Principal, Scope, UnauthorizedError

if TYPE_CHECKING:
    import jwt

log = logging.getLogger(__name__)
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a key pair; never `none`, nor those by a secret that whoever verifies knows too."""
REQUIRED = ("iss", "aud", "exp", "sub")
KEPT_SECONDS = 600.0
UNKNOWN_SECONDS = 30.0
"""That must lie between two looks for a signing key that is not known."""
LARGEST_ANSWER = 1 << 20
LONGEST_TOKEN = 16 << 10


class OidcRule(BaseModel):
    """Whose tokens may do what: all claims must be as said, `*` for any characters; the first rule that fits counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    claims: dict[str, str] = Field(min_length=1)
    scopes: frozenset[Scope] = Field(min_length=1)
    owner: str = Field(pattern=f"^{OWNER}$")

    def fits(self, claims: Mapping[str, Any]) -> bool:
        """Whether a token with these claims is meant."""
        return all(_is(claims.get(name), wanted) for name, wanted in self.claims.items())


def _is(value: Any, wanted: str) -> bool:
    if isinstance(value, list):
        return any(_is(one, wanted) for one in value)
    return isinstance(value, str | int | bool) and fnmatchcase(str(value), wanted)


class Tokens:
    """Knows the issuer's tokens.

    Args:
        issuer: Its URL, as tokens name it.
        audience: Whom they must be for.
        rules: Whose may do what.
        keys_url: Where the issuer's signing keys are; by its own description by default, which must name its own host.
        leeway: Seconds that clocks may differ.
        clock: Seconds that only grow.
    """

    def __init__(
        self, issuer: str, audience: str, rules: Sequence[OidcRule], *, keys_url: str | None = None, leeway: float = 60,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """Nothing is fetched yet."""
        self._issuer, self._audience, self._rules, self._url = issuer, audience, rules, keys_url
        self._leeway, self._clock = leeway, clock
        self._lock = threading.Lock()
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched = -float("inf")

    def find(self, token: str) -> Principal:
        """Who has this token; may ask the issuer.

        Raises:
            UnauthorizedError: It is none of the issuer's for us, or out of its time.
            ForbiddenError: No rule fits it.
            DependencyError: The issuer cannot be asked.
        """
        claims = self._claims(token)
        for rule in self._rules:
            if rule.fits(claims):
                return Principal.of(f"oidc:{claims['sub']}", str(claims["sub"]), rule.owner, rule.scopes)
        raise ForbiddenError(
            f"the token of {str(claims['sub'])[:200]!r} is valid, and no rule of ATLAS_OIDC_RULES fits it"
        )

    def _claims(self, token: str) -> dict[str, Any]:
        import jwt  # with cryptography, which a service without an issuer need not load

        try:
            if len(token) > LONGEST_TOKEN:
                raise jwt.InvalidTokenError("it is too long")
            key = self._key(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                raise jwt.InvalidTokenError("its signing key is none of the issuer's")
            return jwt.decode(token, key, algorithms=ALGORITHMS, audience=self._audience, issuer=self._issuer,
                              leeway=self._leeway, options={"require": list(REQUIRED)})  # fmt: skip
        except (jwt.PyJWTError, ValueError) as error:
            raise UnauthorizedError(f"the bearer token is not accepted: {error}") from None

    def _key(self, name: str | None) -> jwt.PyJWK | None:
        with self._lock:
            age = self._clock() - self._fetched
            if age > KEPT_SECONDS or (name not in self._keys and age > UNKNOWN_SECONDS):
                self._keys = self._fetch()
                self._fetched = self._clock()
            return self._keys.get(name)

    def _fetch(self) -> dict[str | None, jwt.PyJWK]:
        import jwt

        try:
            found = jwt.PyJWKSet.from_dict(_json(self._url or self._described()))
        except (jwt.PyJWTError, httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            log.warning("the issuer's signing keys cannot be had: %s", error)
            raise DependencyError("the issuer of tokens cannot be asked for its signing keys; try again") from error
        return {key.key_id: key for key in found.keys if key.public_key_use in (None, "sig")}

    def _described(self) -> str:
        described = str(_json(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")["jwks_uri"])
        if urlsplit(described)[:2] != urlsplit(self._issuer)[:2]:
            raise ValueError("the issuer names keys on another host; name them in ATLAS_OIDC_KEYS_URL")
        return described


def _json(url: str) -> dict[str, Any]:
    """The JSON object at an address of the operator's; redirects are not followed."""
    with httpx.stream("GET", url, timeout=5, follow_redirects=False) as answer:
        if answer.status_code != httpx.codes.OK:
            raise ValueError(f"{urlsplit(url).netloc} answered {answer.status_code}")
        body = b""
        for piece in answer.iter_bytes():
            body += piece
            if len(body) > LARGEST_ANSWER:
                raise ValueError(f"the answer of {urlsplit(url).netloc} is too large")
    value = httpx.Response(200, content=body).json()
    if not isinstance(value, dict):
        raise TypeError("no JSON object")
    return value
