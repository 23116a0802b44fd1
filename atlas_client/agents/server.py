"""The tools as a server of the Model Context Protocol."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import Image as SentImage, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from PIL import Image

from atlas_client.agents.tools import Told, Tools
from atlas_client.errors import ClientError

if TYPE_CHECKING:
    from atlas_client.client import Client

SHOWN_SIDE = 1024  # pixels of a picture that is sent
QUALITY = 88
INSTRUCTIONS = """Activation atlases: maps of what a layer of a vision network has learned. A cell of a map stands for
activations that are alike; its icon is rendered to show what excites the layer there, and its exemplars are real
patches. What a cell adds to a class is measured in logits. Begin with list_atlases and describe_atlas. Icons that are
"seeded from data" started from real patches; marked ones show little of their cell. Nothing here changes anything."""


def server_of(client: Client) -> MCPServer[Any]:
    """A server whose tools ask one service.

    Args:
        client: The service.
    """
    name = "activation-atlas"
    server: MCPServer[Any] = MCPServer(name, instructions=INSTRUCTIONS, version=version(name), log_level="WARNING")
    reads = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
    for tool in Tools(client).all():
        server.add_tool(sent(tool), annotations=reads, structured_output=False)
    return server


def sent(tool: Callable[..., Told]) -> Callable[..., list[Any]]:
    """A tool whose pictures can be sent, and whose errors say to the agent what they say to people."""

    @functools.wraps(tool)
    def asked(*arguments: Any, **named: Any) -> list[Any]:
        try:
            return [_part(one) for one in tool(*arguments, **named)]
        except ClientError as error:
            raise ToolError(error.detail) from None

    return asked


def _part(part: Any) -> SentImage | str:
    if isinstance(part, Image.Image):
        return picture_of(part)
    return part if isinstance(part, str) else json.dumps(part, ensure_ascii=False)


def picture_of(picture: Image.Image) -> SentImage:
    """A picture as a JPEG of at most 1,024 pixels a side."""
    small = picture.convert("RGB")
    small.thumbnail((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    small.save(data, "JPEG", quality=QUALITY)
    return SentImage(data=data.getvalue(), format="jpeg")
