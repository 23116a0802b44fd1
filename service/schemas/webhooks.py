"""Webhooks over the wire, and what is sent to them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from atlas_core.cards import Card
from atlas_core.webhooks import EVENTS, Event
from service.schemas.jobs import JobError


class WebhookRequest(Card):
    """Where the ends of jobs are to be told, and which."""

    url: Annotated[
        str, Field(min_length=1, max_length=2000, description="https://host/path, of a host that is allowed")
    ]
    events: list[Event] = Field(default=list(EVENTS), min_length=1, max_length=len(EVENTS))


class Webhook(BaseModel):
    """A webhook; `gone` once its receiver has answered 410."""

    id: str
    url: str
    events: list[str]
    state: Literal["active", "gone"]
    created: str


class NewWebhook(Webhook):
    """A webhook just made; its secret is not shown again."""

    secret: str


class Delivery(BaseModel):
    """What a webhook was owed: how often it was tried, the last answer, and when it is tried next."""

    id: str
    type: str
    job: str
    state: Literal["pending", "delivered", "failed"]
    attempts: int
    status: int | None
    error: str | None
    created: str
    due: str | None
    delivered: str | None


class EndedJob(BaseModel):
    """A job that has ended, as webhooks tell it; links are below the service's URL."""

    id: str
    kind: str
    name: str | None
    state: Literal["succeeded", "failed", "cancelled"]
    attempt: int
    digest: str | None
    error: JobError | None
    created: str
    started: str | None
    finished: str
    links: dict[str, str]


class WebhookEvent(BaseModel):
    """What is sent to a webhook, in the form of Standard Webhooks."""

    type: Event
    timestamp: str
    data: EndedJob


class WebhookDetails(Webhook):
    """A webhook with what is pending and its newest 20 deliveries, the newest first."""

    deliveries: list[Delivery]
