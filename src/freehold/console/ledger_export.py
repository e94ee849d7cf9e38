"""Entries as a file that a browser saves, sent as they are read. Refuses to know which entries and who asks."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from freehold.core.clock import iso, now_ns
from freehold.ledger import Query, entries, told
from freehold.ledger.export import WRITERS
from freehold.store import Store
from freehold.wire.api import SENT, Download
from freehold.wire.exchange import Exchange

CHUNK = 1_000  # entries that are made ready at once, beside the loop
_MEDIA = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


async def stream(
    exchange: Exchange, store: Store, query: Query, form: Literal["csv", "jsonl"], names: Mapping[str, str]
) -> Any:
    """Answer `exchange` with the entries that `query` finds; a client that reads slowly is waited for. A store that
    fails in the middle breaks the answer off, so that nobody takes a part for the whole. Raises StoreError."""
    file = f"ledger-{iso(now_ns())[:10]}.{form}"
    buffer = io.BytesIO()
    writer = WRITERS[form](buffer)
    attached = (b"content-disposition", f'attachment; filename="{file}"'.encode())
    download = Download(exchange, [(b"content-type", _MEDIA[form].encode()), attached])

    async def put(rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            await asyncio.to_thread(writer.write, rows)
        piece = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        await download.write(piece)

    chunk: list[dict[str, Any]] = []
    try:
        async for stored in entries(store, query):
            chunk.append(told(stored, names))
            if len(chunk) == CHUNK:
                await put(chunk)
                chunk = []
        await put(chunk)
    except Exception:
        exchange.abort()
        raise
    download.end()
    return SENT
