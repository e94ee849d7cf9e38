"""What of a configuration stands until the server is started anew: one list of it, for the reload and its report."""

from __future__ import annotations

import msgspec

from freehold.app.load import digest, effective
from freehold.app.settings import Config

SERVER = (
    "listen",
    "workers",
    "tls",
    "trusted_proxies",
    "vendor_inflight",
    "breaker",
    "log",
    "access_log",
)
"""Fields of [server] that workers read once; of its limits all but those in `LIVE_LIMITS`."""
LIVE_LIMITS = ("depth", "reply_bytes")
LEDGER = ("durability", "when_down", "flush_ms")


def stand(running: Config, new: Config) -> Config:
    """Return `new` with what only a restart could change as it is in `running`."""
    old = running.server
    limits = msgspec.structs.replace(old.limits, **{f: getattr(new.server.limits, f) for f in LIVE_LIMITS})
    server = msgspec.structs.replace(new.server, limits=limits, **{f: getattr(old, f) for f in SERVER})
    ledger = msgspec.structs.replace(new.ledger, **{f: getattr(running.ledger, f) for f in LEDGER})
    whole = {"store": running.store, "library": running.library}
    return digest(msgspec.structs.replace(new, server=server, ledger=ledger, **whole))


def changed(one: Config, other: Config) -> list[str]:
    """Return the dotted names of the settings in which two configurations differ."""
    before, after = effective(one), effective(other)
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
