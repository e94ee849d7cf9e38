"""Health, readiness and metrics, for the machine that watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from freehold.gateway.answer import JSON, named
from freehold.wire.server import Exchange

if TYPE_CHECKING:
    from freehold.gateway.door import Door


async def alive(door: Door, exchange: Exchange, _: str) -> None:
    """GET /healthz: this process answers. Says nothing of what it depends on."""
    exchange.reply(200, [JSON, named()], b'{"status":"ok"}')


async def ready(door: Door, exchange: Exchange, _: str) -> None:
    """GET /readyz: 200 when calls can be served at once, 503 with the reasons otherwise."""
    state = await door.control.state()
    ledger = door.pipeline.ledger.state
    good = bool(state["ready"]) and ledger != "refusing"
    shown = {"ready": good, "loading": state["loading"], "ledger": ledger, "snapshot": door.pipeline.snapshot.hash}
    exchange.reply(200 if good else 503, [JSON, named()], msgspec.json.encode(shown))


async def metrics(door: Door, exchange: Exchange, _: str) -> None:
    """GET /metrics: Prometheus text, the sum of all workers."""
    text = await door.control.samples()
    exchange.reply(200, [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8"), named()], text)
