"""The measures of heat maps are the same wherever they are listed: service, client, pages."""

from __future__ import annotations

import re
from pathlib import Path

from atlas_client.measures import MEASURES, SAID
from service.schemas import classes

SCALE = Path(__file__).parents[2] / "service" / "viewer" / "src" / "heat" / "scale.ts"


def test_service_client_and_pages_know_the_same_measures() -> None:
    listed = (
        SCALE.read_text(encoding="utf-8").partition("MEASURES: Record<string, Measure> = {")[2].partition("\n};")[0]
    )
    assert MEASURES == classes.MEASURES == tuple(SAID)
    assert sorted(re.findall(r"^  (\w+): \{", listed, re.MULTILINE)) == sorted(MEASURES)
