"""What several commands take."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import typer

AtlasId = Annotated[str, typer.Argument(metavar="ATLAS", help="Id or alias of an atlas.")]
Url = Annotated[str, typer.Option("--server", "--url", envvar="ATLAS_URL", help="Where the service is.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on the standard output.")]
Sign: TypeAlias = Literal["both", "positive", "negative"]
