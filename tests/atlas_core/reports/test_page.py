from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

from atlas_core.reports.page import has_wide, report_html, viewer_link
from atlas_core.reports.pictures import Embedded
from tests.audits import POLICY, audit, clean, pictures


class Elements(HTMLParser):
    """The elements of a page with their attributes, and all its text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


PAGE = report_html(audit(), pictures(), "https://atlas.example")
ELEMENTS = Elements(PAGE)


def test_it_needs_nothing_but_itself() -> None:
    assert not ELEMENTS.of("script")
    assert not ELEMENTS.of("link")
    assert all((image["src"] or "").startswith("data:image/") for image in ELEMENTS.of("img"))
    links = [anchor["href"] or "" for anchor in ELEMENTS.of("a")]
    assert all(link.startswith(("#", "https://atlas.example/?atlas=")) for link in links)
    named = {attributes["id"] for _, attributes in ELEMENTS.found if "id" in attributes}
    assert {link[1:] for link in links if link.startswith("#")} <= named


def test_every_picture_that_was_kept_is_in_it_with_its_size_and_words() -> None:
    shown = {base64.b64decode((image["src"] or "").split(",")[1]) for image in ELEMENTS.of("img")}
    assert shown == set(pictures().values())
    assert {(image["width"], image["height"]) for image in ELEMENTS.of("img")} == {
        ("96", "96"),
        ("32", "32"),
        ("768", "384"),
    }
    assert all(image["alt"] for image in ELEMENTS.of("img"))
    assert ELEMENTS.text.count("no picture kept") == 1
    assert not Elements(report_html(audit(), {}, None)).of("img")


def test_users_text_is_text() -> None:
    assert b"<script" not in PAGE
    assert "mostly 'fish' as '<script>alert(1)</script> & `x` | *y* ]]>'" in ELEMENTS.text


def test_an_interval_is_drawn_where_it_lies() -> None:
    """On a scale to 100 %: 74.7 % with 69.5 to 79.3 %, and the control's 5.3 %."""
    assert b'<line class="interval" x1="69.50%" x2="79.30%" y1="11" y2="11"/>' in PAGE
    assert b'<circle class="dot" cx="74.70%" cy="11" r="5"/>' in PAGE
    assert b'<circle class="dot" cx="5.30%" cy="11" r="5"/>' in PAGE


def test_it_leads_to_the_cell_in_the_viewer_and_nowhere_without_a_service() -> None:
    finding = audit().checks[0].findings[0]
    link = viewer_link(audit(), finding, "https://atlas.example")
    assert link == f"https://atlas.example/?atlas={audit().atlas}#layer=features.7&side=20&cell=3-17"
    assert link in {anchor["href"] for anchor in ELEMENTS.of("a")}
    assert viewer_link(audit(), None, "") == f"/?atlas={audit().atlas}"
    alone = Elements(report_html(audit(), pictures(), None))
    assert all((anchor["href"] or "").startswith("#") for anchor in alone.of("a"))


def test_lines_of_the_policy_have_numbers_and_the_findings_that_break_them() -> None:
    lines = {each["id"]: each for each in ELEMENTS.of("li") if (each.get("id") or "").startswith("policy-")}
    assert len(lines) == len(POLICY.splitlines())
    assert [name for name, each in lines.items() if each.get("class") == "broken"] == ["policy-8", "policy-11"]
    assert sum(anchor["href"] == "#policy-8" for anchor in ELEMENTS.of("a")) == 2
    assert sum(anchor["href"] == "#finding-5512ab34ee90" for anchor in ELEMENTS.of("a")) == 1


def test_each_check_says_how_much_it_looked_at_and_what_it_needs() -> None:
    text = re.sub(r"\s+", " ", ELEMENTS.text)
    assert "86 % of what there is 14 % was not looked at: nothing is known of it." in text
    assert "To be conclusive it needs: 200 pictures or more, where now there are 74." in text
    assert "Noise: half an interval4.9 points" in text
    assert "Accuracy 93.1% → 93.4% on 1,000 images; 0 changes beyond the noise." in text


def test_a_clean_model_has_a_page_that_says_so() -> None:
    page = Elements(report_html(clean(), {}, None))
    assert "pan-vision@candidate passes the audit" in page.text
    assert "Nothing was found by shortcuts, regions." in page.text


def test_several_pictures_in_one_get_all_the_room_there_is() -> None:
    finding = audit().checks[0].findings[0]
    assert not has_wide(finding, Embedded(pictures()))
    assert has_wide(finding, Embedded({"shortcuts-after-1": pictures()["versions-map-1"]}))
    assert not has_wide(finding, Embedded({}))
