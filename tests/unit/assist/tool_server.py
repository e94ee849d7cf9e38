"""A server of tools made with the protocol's own package: `python tool_server.py stdio`, or `http`, `json` or `bare`
and a port."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import AudioContent, EmbeddedResource, ImageContent, ResourceLink, TextContent, TextResourceContents

server = MCPServer("workshop")


@server.tool(title="Add")
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool(structured_output=False)
def echo(text: str) -> str:
    """Say it again."""
    return text


@server.tool()
def facts() -> dict[str, Any]:
    """A structured answer."""
    return {"city": "Bern", "people": 134000}


@server.tool(structured_output=False)
def pictures() -> list[Any]:
    """Content of every kind."""
    data = base64.b64encode(b"p" * 300).decode()
    return [
        TextContent(type="text", text="look:"),
        ImageContent(type="image", data=data, mime_type="image/png"),
        AudioContent(type="audio", data=data, mime_type="audio/wav"),
        ResourceLink(type="resource_link", uri="file:///plan.md", name="plan", description="the plan"),
        EmbeddedResource(
            type="resource", resource=TextResourceContents(uri="memo://1", mime_type="text/plain", text="a memo")
        ),
    ]


@server.tool()
def boom() -> str:
    """Fail."""
    raise ValueError("it went wrong")


@server.tool()
async def slow(seconds: float, context: Context) -> str:
    """Take a while."""
    await context.report_progress(0.5, 1.0)
    await asyncio.sleep(seconds)
    return "done"


@server.tool(structured_output=False)
def big(size: int) -> str:
    """Answer at length."""
    return "ä" * (size // 2)


@server.tool()
def surroundings() -> dict[str, Any]:
    """What the program sees around it."""
    return {"names": sorted(os.environ), "cwd": os.getcwd(), "pid": os.getpid()}


@server.tool(structured_output=False)
async def learn(context: Context) -> str:
    """Offer one more tool from now on."""

    def learned() -> str:
        """New."""
        return "new"

    server.add_tool(learned)
    await context.session.send_tool_list_changed()
    return "learned"


@server.tool(structured_output=False)
def leave() -> str:
    """End at once."""
    os._exit(7)


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        server.run(
            "streamable-http",
            port=int(sys.argv[2]),
            json_response=sys.argv[1] == "json",
            stateless_http=sys.argv[1] == "bare",
        )
