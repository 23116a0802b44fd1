"""`atlas mcp`: a service's atlases as tools for an agent."""

from __future__ import annotations

from atlas_client.client import Client
from atlas_client.connection import DEFAULT_URL
from atlas_client.options import Url


def mcp(url: Url = DEFAULT_URL) -> None:
    """Serve what can be read of a service to an agent: MCP tools over standard input and output, until that closes."""
    from atlas_client.agents.server import server_of  # the extra `mcp`

    with Client(url) as client:
        server_of(client).run("stdio")
