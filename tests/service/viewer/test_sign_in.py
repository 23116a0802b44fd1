"""The page of a service that asks for a key: signing in and out, and pictures once one is in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from atlas_core import registry
from atlas_core.ledger import Worker
from atlas_core.pyramid import compose_tile
from tests.service.access.conftest import SPEC, Secured, secured
from tests.service.viewer.test_accessible import check

if TYPE_CHECKING:
    from atlas_core.registry import Document

__all__ = ["secured"]  # a fixture
OpenPage = Callable[..., Page]
REFUSED = "status of 401"
BESIDE: tuple[tuple[Any, str], ...] = (("link", "Jobs"), ("button", "Sign out"))


@pytest.fixture(autouse=True)
def _worker(secured: Secured) -> None:
    """Have a worker known to live, of whose absence the page would tell."""
    secured.services.ledger.beat(Worker("w", ("interactive", "cpu", "gpu"), 2), 600)


@pytest.fixture
def seen(secured: Secured) -> Document:
    """An atlas of the owner `vision` of which a first picture is there."""
    with secured.client(secured.key("vision", "write")) as client:
        body = {**secured.named, **SPEC, "recipe": "vivid", "name": "seen at last"}
        job: Document = client.post("/v1/atlases", json=body).raise_for_status().json()
    services = secured.services
    (chunk, *_) = registry.plan_of(services.store, job["id"]).find("preview")
    places = np.array([[n % 5, n // 5] for n in range(24)], np.int32)
    icons = np.random.default_rng(0).integers(0, 255, (24, 24, 24, 3), np.uint8)
    tile = services.store.put_blob(compose_tile(icons, places, 5, 5))
    services.store.put_record("preview", chunk.key, {"blobs": {"tile": tile}, "info": {"icons": 24, "size": 24}})
    services.ledger.mark_done([chunk.key])
    return job


def signed_in(page: Page, key: str) -> None:
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_a_key_is_asked_for_once_and_pictures_come_with_the_cookie(
    open_page: OpenPage, secured: Secured, seen: Document
) -> None:
    page = open_page(secured.url, allow=REFUSED)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(page.get_by_label("Key")).to_be_focused()
    expect(page).to_have_title("Sign in · Activation atlas")
    signed_in(page, "atlas_0123456789abcdef_wrong")
    expect(page.get_by_text("the key is unknown, expired or revoked")).to_be_visible()
    expect(page.get_by_label("Key")).to_have_attribute("aria-invalid", "true")
    key = secured.key("vision", "read")
    signed_in(page, key)
    expect(page.get_by_role("heading", level=1)).to_have_text("Atlases")
    picture = page.locator("li", has_text="seen at last").locator("img")
    expect(picture).to_be_visible()
    page.wait_for_function("image => image.complete && image.naturalWidth === 320", arg=picture.element_handle())
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Atlases")
    kept: Any = page.evaluate("[document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage)].join()")
    assert key.split("_", 2)[2] not in kept
    assert "atlas_session" not in kept
    page.get_by_role("button", name="Sign out. Signed in as vision's, for vision").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_form_and_the_button_to_sign_out_are_accessible(
    open_page: OpenPage, secured: Secured, width: int, scheme: str
) -> None:
    page = open_page(secured.url, width, scheme=scheme, allow=REFUSED)
    signed_in(page, "wrong")
    expect(page.get_by_text("this is no key")).to_be_visible()
    check(page, scheme)
    signed_in(page, secured.key("vision", "read"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Atlases")
    check(page, scheme)
    jobs, out = (page.get_by_role(role, name=name).bounding_box() for role, name in BESIDE)
    assert jobs is not None
    assert out is not None
    assert jobs["x"] + jobs["width"] <= out["x"]


def test_where_no_key_is_asked_for_nobody_signs_out(open_page: OpenPage, still: Any) -> None:
    page = open_page(still.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Atlases")
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)
