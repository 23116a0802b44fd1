"""Which scope an operation takes: by its method, but for the few that stand here. Nothing is public by oversight."""

from __future__ import annotations

import re
from typing import Any

from service.access.principal import Scope
from service.access.sessions import COOKIE

PUBLIC_PATHS = frozenset(
    {"/", "/index.html", "/offline.html", "/healthz", "/readyz", "/openapi.json", "/docs", "/docs/oauth2-redirect"}
)
PUBLIC = re.compile(r"/assets/[^/]+")
SESSION = "/v1/session"
METRICS = "/metrics"
ASKING = re.compile(r"/v1/atlases/[^/]+/projections|/v1/atlases/[^/]+/layers/.+/samples")
"""What is POSTed only because a question has a picture in it; nothing is kept of it."""
READING = ("GET", "HEAD", "OPTIONS")


def scope_of(method: str, path: str, *, metrics_public: bool = False) -> Scope | None:
    """The scope that an operation takes; None of what is public.

    Args:
        method: HTTP method.
        path: Of a request, or with names in braces as in /openapi.json.
        metrics_public: Whether /metrics is public.
    """
    if path in PUBLIC_PATHS or PUBLIC.fullmatch(path) or (path == SESSION and method != "GET"):
        return None
    if path == METRICS:
        return None if metrics_public else "metrics"
    if method in READING or (method == "POST" and ASKING.fullmatch(path)):
        return "read"
    return "write"


SCHEMES = {
    "key": {"type": "http", "scheme": "bearer",
            "description": "an API key, `atlas_…`, or a token of the issuer that the operator trusts"},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE,
                "description": "a browser's, by POST /v1/session"},
}  # fmt: skip


def describe(schema: dict[str, Any], *, is_open: bool, metrics_public: bool) -> None:
    """Put into /openapi.json what each operation takes."""
    schema.setdefault("components", {})["securitySchemes"] = SCHEMES
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            scope = scope_of(method.upper(), path, metrics_public=metrics_public)
            taken = [] if scope is None else [{name: [scope]} for name in SCHEMES]
            operation["security"] = [*taken, {}] if is_open and taken else taken
