"""report.html in a browser, opened from disk as a CI system's artifacts are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from atlas_core.reports.formats import render
from tests.audits import HOSTILE, audit, clean, pictures

OpenPage = Callable[..., Page]
FINDING = "#finding-3f9c2a71d0e4"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _written(tmp_path_factory.mktemp("report") / "report.html", render(audit(), "html", pictures(), service=""))


def _written(path: Path, page: bytes) -> str:
    path.write_bytes(page)
    return path.as_uri()


def _violations(page: Page) -> list[str]:
    response: dict[str, Any] = Axe().run(page).response
    return [f"{each['id']}: {node['html'][:200]}" for each in response["violations"] for node in each["nodes"]]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_cut_off(open_page: OpenPage, address: str, width: int, scheme: str) -> None:
    page = open_page(address, width, 900, scheme=scheme)
    for details in page.locator("details").all():
        details.evaluate("each => each.open = true")
    assert _violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    overflowing = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3, p, dd, figcaption, figure img, .chart, .number')]"
        ".filter(each => each.getBoundingClientRect().right > innerWidth + 1).map(each => each.textContent)"
    )
    assert overflowing == []


def test_a_clean_models_page_is_right_too(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(_written(tmp_path / "report.html", render(clean(), "html", {})), 390, 900)
    expect(page.locator("h1")).to_have_text("pan-vision@candidate passes the audit")
    assert _violations(page) == []


def test_the_verdict_and_its_reason_are_seen_at_once_and_pictures_are_shown(open_page: OpenPage, address: str) -> None:
    page = open_page(address, 1280, 900)
    for text in ("pan-vision@candidate fails the audit", "Noodles decide that a picture is a wok"):
        box = page.get_by_text(text).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 300
    first = page.locator(f"{FINDING} img").first
    assert first.evaluate("each => each.naturalWidth") == 96
    box = first.bounding_box()
    assert box is not None
    assert box["y"] < 850


def test_it_asks_nothing_of_any_other_place_and_runs_no_script_of_a_users_name(
    open_page: OpenPage, address: str
) -> None:
    page = open_page("about:blank")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(address)
    assert {each for each in asked if not each.startswith("data:")} == {address}
    expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()


def test_a_keyboard_opens_what_is_folded_and_follows_a_finding_to_its_line(open_page: OpenPage, address: str) -> None:
    page = open_page(address, 1280, 900)
    summary = page.locator(f"{FINDING} summary", has_text="Accept it")
    snippet = page.locator(f"{FINDING} .snippet")
    expect(snippet).not_to_be_visible()
    summary.focus()
    page.keyboard.press("Enter")
    expect(snippet).to_be_visible()
    expect(snippet).to_contain_text('direction = "fwDBGkL/AQ=="')
    line = page.locator(f"{FINDING} a.badge")
    line.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#policy-8$"))
    expect(page.locator("#policy-8")).to_be_in_viewport()


def test_the_snippet_is_taken_with_one_click(open_page: OpenPage, address: str) -> None:
    page = open_page(address, 1280, 900)
    page.locator(f"{FINDING} summary", has_text="Accept it").click()
    page.locator(f"{FINDING} .snippet").click()
    assert page.evaluate("String(getSelection())").strip().startswith('[[accepted]]\ncheck = "shortcuts"')


def test_on_paper_everything_is_unfolded_and_dark_on_white(open_page: OpenPage, address: str) -> None:
    page = open_page(address, 800, 1000, scheme="dark")
    page.emulate_media(media="print")
    expect(page.locator(f"{FINDING} .snippet")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
