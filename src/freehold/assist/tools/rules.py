"""Whether a member is asked before a tool is used: by configuration, and by what the member said. Refuses to know
servers' connections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from freehold.assist.tools.offers import Allow, ServerSettings
from freehold.store import Store


async def load(store: Store, member: str) -> dict[tuple[str, str], Allow]:
    """Return the member's own rules, by server and tool. Raises StoreError."""
    rows = await store.fetch("SELECT server, tool, allow FROM tool_rule WHERE member = ?", member)
    return {(server, tool): cast(Allow, allow) for server, tool, allow in rows}


async def keep(store: Store, member: str, server: str, tool: str, allow: Allow) -> None:
    """Keep a member's rule for a tool. Raises StoreError."""
    await store.write(
        (
            "INSERT INTO tool_rule(member, server, tool, allow) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (member, server, tool) DO UPDATE SET allow = excluded.allow",
            [(member, server, tool, allow)],
        )
    )


def effective(settings: ServerSettings, tool: str, own: Mapping[tuple[str, str], Allow]) -> Allow:
    """Return the rule in force: "never" by configuration wins, then the member's own, then the configuration's."""
    configured = settings.configured(tool)
    if configured == "never":
        return configured
    return own.get((settings.name, tool), configured)
