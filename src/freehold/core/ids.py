"""Identifiers: time-ordered and random. Knows nothing of what they name."""

from __future__ import annotations

import random
import secrets
import time

_last = 0
_LOW = (1 << 80) - 1


def new_id(prefix: str) -> str:
    """Return `prefix_` + 32 hexadecimal digits that sort by time of creation: 48 bits of milliseconds, 80 of chance.

    Two ids made in one process sort in the order of making. Not a secret: see `new_secret`.
    """
    global _last
    now = time.time_ns() // 1_000_000 << 80
    _last = now | random.getrandbits(79) if now > _last | _LOW else _last + 1 + random.getrandbits(8)
    return f"{prefix}_{_last:032x}"


def new_secret(prefix: str) -> str:
    """Return `prefix-` + 43 URL-safe characters (256 random bits): a token that is shown once and stored hashed."""
    return f"{prefix}-{secrets.token_urlsafe(32)}"
