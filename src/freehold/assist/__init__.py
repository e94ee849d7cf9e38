"""The assistants that people use: chat, library, tools, imports. Clients of the pipeline, each call under its member's
key; refuses to know the command line, administration, and any dialect's door."""

from __future__ import annotations

from freehold.assist.room import Assist, AssistSettings

__all__ = ["Assist", "AssistSettings"]
