from __future__ import annotations

import json
import subprocess
import sys

import pytest

from atlas_core.audit.findings import Audit
from atlas_core.errors import InputError
from atlas_core.reports.formats import FORMATS, render
from tests.audits import audit, clean, pictures


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_document_gives_the_same_bytes(form: str) -> None:
    made = render(audit(), form, pictures())
    assert made == render(audit(), form, pictures())
    assert made.endswith(b"\n")
    assert render(clean(), form, {}) != made


def test_an_unknown_form_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match="'pdf': ask for one of html, json, junit, sarif, markdown"):
        render(audit(), "pdf", {})


def test_the_json_is_the_document() -> None:
    made = render(audit(), "json", {})
    assert Audit.model_validate_json(made) == audit()
    assert list(json.loads(made)) == sorted(json.loads(made))


def test_reports_load_neither_torch_nor_a_web_framework() -> None:
    code = "import sys, atlas_core.reports.formats; sys.exit(bool({'torch', 'scipy', 'fastapi'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
