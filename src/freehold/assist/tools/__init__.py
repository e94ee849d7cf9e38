"""MCP servers as tools of a conversation: what is offered, what may be used, and the use itself. Refuses to know models
and turns: who holds the conversation asks its member before it calls `Tools.use`."""

from __future__ import annotations

from freehold.assist.tools.offers import Allow, Offered, Result, ServerSettings, ToolServer, ToolShown
from freehold.assist.tools.servers import Tools

__all__ = ["Allow", "Offered", "Result", "ServerSettings", "ToolServer", "ToolShown", "Tools"]
