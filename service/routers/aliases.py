"""Aliases: names for models, datasets and atlases that can be moved."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response

from atlas_core import aliases
from atlas_core.aliases import Expected, lock_of
from service.dependencies import PagingDep, ServicesDep
from service.schemas.aliases import Alias, AliasItem, AliasRequest
from service.schemas.pages import Page

router = APIRouter(prefix="/v1/aliases", tags=["aliases"])
AliasName = Annotated[str, Path(description="letters, digits, `.`, `_`, `@` and `-`, at most 64")]
IfMatch = Annotated[
    str | None,
    Header(pattern=r'^(\*|"[0-9]{1,6}")$', description="the ETag that the caller knows; `*` for any alias there is"),
]


@router.put("/{name}", response_model=Alias)
def put_alias(
    name: AliasName, body: AliasRequest, response: Response, services: ServicesDep, if_match: IfMatch = None
) -> Any:
    """Have a name stand for a model, dataset or atlas; moving it keeps what it named before in its history."""
    kind, target = aliases.target_of(services.store, body.id)
    with services.ledger.lock(lock_of(kind, target)):
        return _tagged(response, aliases.move(services.store, name, target, expected_version(if_match)))


@router.get("", response_model=Page[AliasItem])
def list_aliases(services: ServicesDep, paging: PagingDep) -> Any:
    """All aliases, by name."""
    return paging.page(aliases.listed(services.store))


@router.get("/{name}", response_model=Alias)
def get_alias(name: AliasName, response: Response, services: ServicesDep) -> Any:
    """What an alias names, and its newest moves."""
    return _tagged(response, aliases.get(services.store, name))


@router.delete("/{name}", status_code=204)
def delete_alias(name: AliasName, services: ServicesDep, if_match: IfMatch = None) -> None:
    """Have a name stand for nothing; its history is kept, for when it is used again."""
    aliases.delete(services.store, name, expected_version(if_match))


def expected_version(if_match: str | None) -> Expected:
    """What `If-Match` expects."""
    if if_match is None:
        return None
    return "any" if if_match == "*" else int(if_match.strip('"'))


def _tagged(response: Response, alias: dict[str, Any]) -> dict[str, Any]:
    response.headers["ETag"] = f'"{alias["version"]}"'
    return alias
