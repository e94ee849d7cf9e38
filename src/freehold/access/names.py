"""What a key or a team may be called."""

from __future__ import annotations

import re

from freehold.core.errors import BadRequest

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


def check_name(name: str, kind: str) -> None:
    """Raise BadRequest unless `name` can name a `kind` ("key" or "team") in commands, tables and labels of metrics."""
    if not _NAME.fullmatch(name):
        raise BadRequest(
            f"not a name for a {kind}: {name!r}",
            param="name",
            hint="use 1 to 64 letters, digits, dots, hyphens, underscores, @ or +, beginning with a letter or a digit",
        )
