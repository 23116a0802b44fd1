"""The documentation's site: the pages of this folder, and references from the code; `make docs` builds build/docs."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

project = "Activation Atlas"
author = "The project's authors"
release = version = installed_version("activation-atlas")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_heading_anchors = 4  # as GitHub names them
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["misc.highlighting_failure"]  # examples with `…` in them

html_theme = "furo"
html_title = "Activation Atlas"
html_copy_source = False
html_show_copyright = html_show_sphinx = False
html_theme_options = {"light_css_variables": {"font-stack": "system-ui, sans-serif"}}

default_role = "code"  # docstrings have `names`
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = False


def setup(app: Sphinx) -> None:
    """Write the references before the pages are read, and have links to the benchmarks lead to their copies."""
    from generate import write_reference

    def lead_to_copies(_: Sphinx, page: str, source: list[str]) -> None:
        if "/" not in page:
            linked = source[0].replace("](../benchmarks/README.md", "](../benchmarks/index.md")
            source[0] = linked.replace("](../benchmarks/", "](reference/benchmarks/")

    app.connect("builder-inited", lambda _: write_reference(Path(__file__).parent / "reference"))
    app.connect("source-read", lead_to_copies)
