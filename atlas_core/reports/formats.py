"""The forms that an audit's document is given in, each with its file's name and media type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from atlas_core.errors import InputError
from atlas_core.reports.document import report_json
from atlas_core.reports.junit import junit_xml
from atlas_core.reports.page import report_html
from atlas_core.reports.sarif import audit_sarif
from atlas_core.reports.summary import summary_md

if TYPE_CHECKING:
    from atlas_core.audit.findings import Audit

Pictures = Mapping[str, bytes]


@dataclass(frozen=True)
class Format:
    """One form.

    Args:
        file: Name under which `atlas audit` writes it.
        media_type: What it is served as.
        render: Makes it of a document, its pictures and the service's address.
    """

    file: str
    media_type: str
    render: Callable[[Audit, Pictures, str | None], bytes]


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "html": Format("report.html", "text/html", report_html),
        "json": Format("report.json", "application/json", lambda audit, *_: report_json(audit)),
        "junit": Format("junit.xml", "application/xml", lambda audit, *_: junit_xml(audit)),
        "sarif": Format("audit.sarif", "application/sarif+json", lambda audit, *_: audit_sarif(audit)),
        "markdown": Format("summary.md", "text/markdown", summary_md),
    }
)


def render(audit: Audit, form: str, pictures: Pictures, *, service: str | None = None) -> bytes:
    """An audit's document in one of the forms: the same document and pictures, the same bytes.

    Args:
        audit: The document.
        form: A name of `FORMATS`.
        pictures: PNG files of the evidence by name; one that is missing is left out and its caption stays.
        service: Where the viewer is, such as `https://atlas.example`, empty for the origin of the report itself;
            None where there is no service: then reports hold no links into the viewer, nor where there is no atlas.

    Raises:
        InputError: There is no such form.
    """
    if form not in FORMATS:
        raise InputError(f"there is no report in the form {form!r}: ask for one of {', '.join(FORMATS)}")
    return FORMATS[form].render(audit, pictures, None if audit.atlas is None else service)
