"""Webhooks: who is told that a job has ended."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI, Response

from atlas_core import webhooks
from atlas_core.deliveries import allowed_by, of_webhook
from atlas_core.outgoing import target_of
from service.dependencies import PagingDep, ServicesDep
from service.idempotency import IDEMPOTENT, IdempotentRoute
from service.schemas.pages import Page
from service.schemas.webhooks import NewWebhook, Webhook, WebhookDetails, WebhookEvent, WebhookRequest

ANSWERS: dict[int | str, dict[str, Any]] = {
    410: {"description": "Never to be sent again"},
    "default": {"description": "To be sent again later, as `Retry-After` says or after growing pauses"},
}
router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=IdempotentRoute)


@router.post("", status_code=201, response_model=NewWebhook, dependencies=[IDEMPOTENT])
def add_webhook(body: WebhookRequest, response: Response, services: ServicesDep) -> Any:
    """Have the ends of jobs told to a URL; the answer holds the secret that signs them, which is not shown again."""
    target_of(body.url, allowed_by(services.settings))
    value = webhooks.add(services.store, body.url, body.events)
    response.headers.update({"Location": f"/v1/webhooks/{value['id']}", "Cache-Control": "no-store"})
    return value


@router.get("", response_model=Page[Webhook])
def list_webhooks(services: ServicesDep, paging: PagingDep) -> Any:
    """All webhooks, in order of their making."""
    return paging.page(webhooks.listed(services.store))


@router.get("/{webhook}", response_model=WebhookDetails)
def get_webhook(webhook: str, services: ServicesDep) -> Any:
    """A webhook and how its newest deliveries went."""
    return webhooks.get(services.store, webhook) | {"deliveries": of_webhook(services.store, webhook)}


@router.delete("/{webhook}", status_code=204)
def delete_webhook(webhook: str, services: ServicesDep) -> None:
    """Tell this URL nothing more, also not what is pending."""
    services.check_own(webhooks.get(services.store, webhook), f"the webhook {webhook}")
    webhooks.delete(webhook, services.store, services.ledger)


def describe_events(app: FastAPI) -> None:
    """Put what is sent to webhooks into /openapi.json."""
    for event in webhooks.EVENTS:
        app.webhooks.add_api_route(
            event, _receive, methods=["POST"], status_code=204, operation_id=event, tags=["webhooks"],
            summary=f"A job has ended: {event.partition('.')[2]}", responses=ANSWERS,
        )  # fmt: skip


def _receive(body: WebhookEvent) -> None:
    """With `webhook-id`, `webhook-timestamp` and `webhook-signature` of Standard Webhooks; answer with any 2xx."""
