"""Instructions that were looked at before and in which nothing was found. Remembers no words; refuses to say anything
of what somebody wrote for this call."""

from __future__ import annotations

SHORTEST = 64
"""Characters below which looking again is as quick."""
MOST = 4096


class Known:
    """A system prompt comes with every call of a program, and what was clean once is clean again. Kept is Python's own
    hash of a text, which is keyed anew in each process: 64 bits that tell nothing of it, and that nobody can aim at."""

    __slots__ = ("_clean",)

    def __init__(self) -> None:
        self._clean: set[int] = set()

    def clean(self, role: str, text: str) -> bool:
        """Return whether a text of the role `system` was noted as clean."""
        return role == "system" and hash(text) in self._clean

    def note(self, role: str, text: str) -> None:
        """Note that nothing was found in a text, when it is one that comes again."""
        if role == "system" and len(text) >= SHORTEST:
            if len(self._clean) >= MOST:
                self._clean.clear()
            self._clean.add(hash(text))
