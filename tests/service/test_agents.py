"""`atlas mcp` as an agent's host runs it: a process of its own, spoken to by the SDK's client over stdio."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from mcp import Client
from mcp.client.stdio import StdioServerParameters
from PIL import Image

from atlas_client.agents.tools import Tools

if TYPE_CHECKING:
    from tests.service.conftest import Live

COMMAND = ["-c", "from atlas_client.cli import main; main()", "mcp"]


@dataclass(frozen=True)
class Told:
    """What a tool answered: texts, parsed where they are JSON, and pictures."""

    failed: bool
    texts: list[Any]
    pictures: Sequence[Image.Image]


Ask: TypeAlias = Callable[..., Awaitable[Told]]


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def talking(url: str, talk: Callable[[Client, Ask], Awaitable[None]]) -> None:
    """Start the command for a service, have a conversation with it, and end it."""

    async def converse() -> None:
        parameters = StdioServerParameters(command=sys.executable, args=COMMAND, env={"ATLAS_URL": url})
        async with Client(parameters) as client:

            async def ask(tool: str, **arguments: Any) -> Told:
                answer = await client.call_tool(tool, arguments)
                texts = [parsed(part.text) for part in answer.content if part.type == "text"]
                sent = [part for part in answer.content if part.type == "image"]
                assert {part.mime_type for part in sent} <= {"image/jpeg"}
                pictures = [Image.open(io.BytesIO(base64.b64decode(part.data))) for part in sent]
                return Told(bool(answer.is_error), texts, pictures)

            await talk(client, ask)

    asyncio.run(converse())


def test_an_agent_reads_maps_cells_and_images(live: Live, tmp_path: Path) -> None:
    atlas = live.atlas["id"]
    picture = tmp_path / "picture.png"
    Image.new("RGB", (64, 64), (200, 30, 30)).save(picture)

    async def talk(client: Client, ask: Ask) -> None:
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == [tool.__name__ for tool in Tools(live.client).all()]
        assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools)

        listed = (await ask("list_atlases")).texts[0]["atlases"]
        assert atlas in [one["id"] for one in listed]
        assert live.spec["model"] in [one["id"] for one in (await ask("list_models")).texts[0]["models"]]
        (dataset,) = (
            one for one in (await ask("list_datasets")).texts[0]["datasets"] if one["id"] == live.spec["dataset"]
        )
        assert dataset["images"] == 60

        described = await ask("describe_atlas", atlas=atlas)
        assert described.texts[0]["layers"][0]["name"] == "features.4"
        assert [level["side"] for level in described.texts[0]["layers"][0]["levels"]] == [3, 6]
        assert len(described.pictures) == 1
        level = await ask("show_level", atlas=atlas, level=1)
        assert level.texts[0]["side"] == 6
        assert level.pictures[0].size[0] == level.pictures[0].size[1]

        cell = live.client.json("GET", f"{live.level}/cells")["items"][0]
        place = {"column": cell["column"], "row": cell["row"]}
        told = await ask("describe_cell", atlas=atlas, **place)
        assert told.texts[0]["count"] == cell["count"]
        assert len(told.pictures) == 1

        heat = await ask("heat_map", atlas=atlas, of_class="dots")
        asked = live.client.heatmap(atlas, "features.4", 0, "dots")
        assert (heat.texts[0]["of"], heat.texts[0]["value"]) == ("dots", asked["value"])
        assert len(heat.pictures) == 1
        assert (await ask("list_confusions", atlas=atlas)).texts[0]["confusions"]

        found = await ask("find_samples", atlas=atlas, cell=[cell["column"], cell["row"]], most=5)
        assert len(found.texts[0]["samples"]) == 5
        assert len(found.pictures) == 1

        landed = await ask("project_image", atlas=atlas, image=str(picture))
        assert landed.texts[0]["positions"] == len(
            live.client.project(atlas, picture)["layers"]["features.4"]["positions"]
        )
        assert landed.texts[0]["cells"]
        assert len(landed.pictures) == 1

    talking(live.service.url, talk)


def test_an_agent_is_told_what_is_wrong_as_people_are(live: Live, tmp_path: Path) -> None:
    atlas = live.atlas["id"]
    secret = tmp_path / "secret"
    secret.write_text("no picture")

    async def talk(_: Client, ask: Ask) -> None:
        async def refused(tool: str, said: str, **arguments: Any) -> None:
            told = await ask(tool, **arguments)
            assert told.failed
            assert said in told.texts[0]

        await refused("describe_atlas", "there is no atlas 'nothing' here", atlas="nothing")
        await refused("describe_cell", "cell 99-0 of 'features.4'", atlas=atlas, column=99, row=0)
        await refused("show_level", "features.4 has levels 0 to 1", atlas=atlas, level=2)
        await refused("heat_map", "give one of them", atlas=atlas)
        await refused("heat_map", "spots", atlas=atlas, of_class="spots")
        await refused("project_image", "is no picture, so it is not sent", atlas=atlas, image=str(secret))
        await refused("read_audit", "nothing", audit="nothing")

    talking(live.service.url, talk)


def test_an_agent_is_told_of_a_service_that_is_not_there() -> None:
    async def talk(_: Client, ask: Ask) -> None:
        told = await ask("list_atlases")
        assert told.failed
        assert "cannot reach the service at http://127.0.0.1:9" in told.texts[0]

    talking("http://127.0.0.1:9", talk)
