"""Who asks: the name under which a key, a token or nobody acts, and what it may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from atlas_core.errors import AtlasError
from atlas_core.owners import EVERYBODY

Scope = Literal["read", "write", "admin", "metrics"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
IMPLIED: Mapping[Scope, frozenset[Scope]] = MappingProxyType(
    {
        "read": frozenset({"read"}),
        "write": frozenset({"read", "write"}),
        "admin": frozenset(SCOPES),
        "metrics": frozenset({"metrics"}),
    }
)
"""What a scope allows: to write includes to read, and admin includes all, on what is others' too."""


class UnauthorizedError(AtlasError):
    """Nobody that the service knows, where it must know who asks."""

    slug = "unauthorized"


class ForbiddenError(AtlasError):
    """Somebody that the service knows, who may not do this."""

    slug = "forbidden"


class QuotaError(ForbiddenError):
    """More in the store than a key's owner may have there: waiting does not help, deleting does."""

    slug = "over-quota"


@dataclass(frozen=True)
class Principal:
    """Who asks.

    Attributes:
        id: `key:…`, `oidc:…`, `open` or `nobody`; what limits count by and the audit log names.
        name: For people.
        owner: In whose name it acts: it sees, and is given, what this owner has.
        scopes: What it may do.
        limits: Limits of its own, by setting.
    """

    id: str
    name: str
    owner: str
    scopes: frozenset[Scope]
    limits: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls, identity: str, name: str, owner: str, scopes: frozenset[Scope], limits: Mapping[str, int] | None = None
    ) -> Principal:
        """Somebody with all that these scopes imply."""
        implied = frozenset().union(*(IMPLIED[scope] for scope in scopes))
        return cls(identity, name, owner, implied, limits or {})

    @property
    def sees_all(self) -> bool:
        """Whether what others own is to be seen and handled too."""
        return "admin" in self.scopes

    def check(self, scope: Scope) -> None:
        """Refuse what this scope is needed for and missing.

        Raises:
            ForbiddenError: It is missing.
        """
        if scope not in self.scopes:
            has = ", ".join(one for one in SCOPES if one in self.scopes) or "none"
            raise ForbiddenError(f"this takes the scope `{scope}`; {self.name!r} has {has}")


OPEN = Principal.of("open", "anybody", EVERYBODY, frozenset({"admin"}))
"""Whoever asks while access is open, on loopback alone."""
NOBODY = Principal("nobody", "nobody", EVERYBODY, frozenset())
"""Who asks for what is public."""
