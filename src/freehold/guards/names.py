"""Names and places by a supervised child process. Knows how to keep it alive; refuses to know how it recognises."""

from __future__ import annotations

from freehold.guards.finding import Finding


class Names:
    """Finds NAME and PLACE in texts with the extra `names` (a small model in a process of its own)."""

    async def find(self, texts: list[str]) -> list[list[Finding]]:
        """Return the findings of each text, in order.

        Raises EngineError: the extra is not installed, or the child does not answer.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """End the child."""
