"""What the viewer's style files must hold, so that what one page looks like does not hang on another's."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

STYLE = Path(__file__).parents[3] / "service" / "viewer" / "src" / "style"


def test_no_class_is_laid_out_by_two_files() -> None:
    laid_out = defaultdict(set)
    for file in STYLE.glob("*.css"):
        text = re.sub(r"/\*.*?\*/", "", file.read_text(), flags=re.DOTALL)
        for selectors, rules in re.findall(r"([^{};]+)\{([^{}]*)\}", text):
            if re.search(r"\bdisplay:", rules):
                for name in re.findall(r"(?:^|,)\s*\.([\w-]+)\s*(?=,|$)", selectors):
                    laid_out[name].add(file.name)
    assert len(laid_out) > 50
    assert not {name: files for name, files in laid_out.items() if len(files) > 1}
