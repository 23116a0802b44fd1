"""Audits: what was found with its pictures, how sure it is, where on the map; and starting one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from tests.service.viewer.conftest import Served
    from tests.service.viewer.still import Still

OpenPage = Callable[..., Page]


def test_an_audit_shows_its_verdict_its_findings_and_what_they_rest_on(open_page: OpenPage, still: Still) -> None:
    page = open_page(f"{still.url}/?audits")
    line = page.get_by_role("article").filter(has_text="Noodles decide that a picture is a wok")
    expect(line).to_contain_text("Fail")
    line.get_by_role("link", name="pan-vision").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("pan-vision fails the audit")
    finding = page.get_by_role("article").first
    expect(finding).to_contain_text("Pasted on pictures of other classes")
    expect(finding).to_contain_text("Fails the check")
    for text in ("75 %", "70 to 79 %", "5.3 %", "Look for the piece in the training pictures", "it works"):
        expect(finding).to_contain_text(text)
    before = finding.get_by_role("img", name="Before: fish, .91")
    before.scroll_into_view_if_needed()
    before.evaluate("each => each.decode()")
    assert before.evaluate("each => each.naturalWidth") > 0
    shares = [float(re.sub("[^0-9.]", "", each.get_attribute("cx") or "")) for each in finding.locator("circle").all()]
    assert (round(shares[0], 1), round(shares[1], 1)) == (74.7, 5.3)  # the flips, and those of the control
    boxes = [each.bounding_box() for each in finding.locator("svg.plot").all()]
    assert boxes
    assert all(box and box["height"] < 30 for box in boxes)  # as high as a line, so that they stand below each other
    finding.get_by_text("Accept it in the policy").click()
    expect(finding.get_by_label("Lines for the policy")).to_contain_text('[[accepted]]\ncheck = "shortcuts"')
    expect(page.get_by_text("<script>alert(1)</script>").first).to_be_visible()


def test_a_finding_leads_to_its_cell_its_line_and_the_reports(open_page: OpenPage, still: Still) -> None:
    page = open_page(still.page("audit", "audited"))
    finding = page.get_by_role("article").first
    link = finding.get_by_role("link", name="Show on the map").get_attribute("href") or ""
    assert link == f"?atlas={still.ids['ready to be seen']}#layer=features.7&side=20&cell=3-17-20"
    finding.get_by_role("link", name=re.compile("shortcuts.margin, line 8")).click()
    line = page.locator("#policy-8")
    expect(line).to_be_in_viewport()
    expect(line).to_contain_text("margin = 0.2")
    page.get_by_text("Reports", exact=True).click()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="One page (HTML)").click()
    expect(opened.value.get_by_role("heading", level=1)).to_have_text("pan-vision fails the audit")


def test_checks_tell_how_much_they_looked_at_and_why_they_did_not_run(open_page: OpenPage, still: Still) -> None:
    page = open_page(still.page("audit", "audited"))
    shortcuts = page.get_by_role("region", name=re.compile("^Shortcuts"))
    shortcuts.get_by_text("All numbers").click()
    expect(shortcuts.get_by_role("table")).to_contain_text("Flips to the class")
    expect(page.get_by_role("region", name=re.compile("^Drift"))).to_contain_text("not run")
    expect(page.get_by_role("region", name=re.compile("^Image properties"))).to_contain_text(
        "To be conclusive it needs"
    )


def test_what_the_service_says_against_an_audit_stands_at_its_field(open_page: OpenPage, still: Still) -> None:
    page = open_page(f"{still.url}/?audits&add&model={still.ids['pan-vision']}", allow="422")
    page.get_by_label("Dataset", exact=True).select_option("kitchen")
    page.get_by_text("Policy and seed").click()
    policy = page.get_by_role("textbox", name="Policy")
    policy.fill("[shortcuts]\nmargin = 7")
    page.get_by_role("button", name="Start the audit").click()
    expect(policy).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("form")).to_contain_text(re.compile("line 2.*margin|margin.*line 2"))


def test_an_audit_is_started_and_followed_to_its_verdict(open_page: OpenPage, served: Served) -> None:
    """Of sixty images nothing can be said, which is said."""
    page = open_page(f"{served.url}/?models")
    page.locator(f'a[href$="model={served.atlas["spec"]["model"]}"]').first.click()
    page.get_by_role("link", name="Audit it").click()
    expect(page.get_by_label("Model", exact=True)).not_to_have_value("")
    page.get_by_label("Dataset", exact=True).select_option("patterns")
    page.get_by_role("button", name="Start the audit").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("tiny could not be judged", timeout=30_000)
    expect(page.get_by_text("an audit takes 200 or more").first).to_be_visible()
