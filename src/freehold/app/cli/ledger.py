"""`ledger query|verify|export|erase`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands


def register(commands: Commands) -> None:
    commands.group("ledger", "what was sent to whom, when, and at what cost")
