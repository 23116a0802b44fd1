"""What is around every page: going about, light and dark, and what is shown while the service cannot work."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from tests.service.viewer.conftest import Served
    from tests.service.viewer.still import Still

OpenPage = Callable[..., Page]


def test_pages_are_gone_through_by_links_and_keys_and_each_is_told_to_who_arrives(
    open_page: OpenPage, still: Still
) -> None:
    page = open_page(still.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Atlases")
    loads: list[str] = []
    page.on("load", lambda _: loads.append("load"))
    for name in ("Models", "Datasets", "Audits", "Jobs"):
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        expect(page.get_by_role("heading", level=1)).to_be_focused()
        expect(page.locator("#said")).to_have_text(name)
        expect(page).to_have_title(f"{name} · Activation atlas")
        expect(page.get_by_role("link", name=name, exact=True).first).to_have_attribute("aria-current", "page")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Audits")
    assert loads == []


def test_the_first_key_leads_past_the_navigation(open_page: OpenPage, still: Still) -> None:
    page = open_page(still.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Atlases")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.tagName") == "MAIN"


def test_colours_are_as_the_system_has_them_until_somebody_chooses_and_the_choice_is_kept(
    open_page: OpenPage, still: Still
) -> None:
    page = open_page(still.url, scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Colours: as the system has it").click()
    expect(page.locator("#said")).to_have_text("Colours: light")
    light = page.evaluate(ground)
    assert light != dark
    page.reload()
    expect(page.get_by_role("button", name="Colours: light")).to_be_visible()
    assert page.evaluate(ground) == light
    page.get_by_role("button", name="Colours: light").click()
    assert page.evaluate(ground) == dark
    page.emulate_media(color_scheme="light")
    assert page.evaluate(ground) == dark  # chosen, whatever the system has now


def test_without_a_worker_or_a_service_it_says_so_and_what_to_do_and_looks_again(
    open_page: OpenPage, still: Still
) -> None:
    still.services.ledger.gone(still.services.ledger.workers()[0])
    page = open_page(still.url, allow="503|ERR_CONNECTION|ERR_INTERNET|Failed to load")
    try:
        expect(page.get_by_role("alert")).to_contain_text("Nothing is being worked on. No worker takes from the queue")
    finally:
        still.worker_beats()
    expect(page.get_by_role("alert")).to_have_count(0, timeout=10_000)
    page.context.set_offline(True)
    expect(page.get_by_role("alert").filter(has_text="Not up to date.")).to_contain_text("The service does not answer")
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The page cannot be fetched")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("link", name="pan-vision", exact=True)).to_be_visible()


def test_an_address_of_nothing_says_so_and_leads_back(open_page: OpenPage, still: Still) -> None:
    page = open_page(f"{still.url}/?nothing")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")
    page.get_by_role("link", name="See the atlases").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Atlases")
    for address, said in (("?model=none", "The model cannot be found"), ("?audit=none", "The audit cannot be found")):
        missing = open_page(f"{still.url}/{address}", allow="404")
        expect(missing.get_by_role("alert")).to_contain_text(said)


def test_a_map_has_the_frame_too_and_is_named(open_page: OpenPage, served: Served) -> None:
    page = open_page(served.page)
    expect(page.get_by_role("heading", level=1)).to_have_text("two layers")
    expect(page).to_have_title("two layers · Activation atlas")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Atlases").click()
    card = page.get_by_role("article").filter(has=page.get_by_role("link", name="two layers"))
    picture = card.locator("img")
    expect(picture).to_be_visible()
    picture.evaluate("each => each.decode()")
    assert picture.evaluate("each => each.naturalWidth") == 320
    card.get_by_role("link", name="two layers").click()
    expect(page.get_by_role("region", name="Map")).to_be_visible()
