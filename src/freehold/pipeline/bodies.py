"""What of a call's texts is kept, by policy. Refuses to decide the policy."""

from __future__ import annotations

from freehold.guards import redact_json
from freehold.ledger import Body
from freehold.pipeline.tap import Tap


def bodies(policy: str, request: bytes, tap: Tap) -> list[Body]:
    """Return the request as it was sent and the reply as it came; `policy` is "redacted" or "full"."""
    reply = b"".join(tap.kept) if tap.streamed else tap.body()
    if policy == "redacted":
        request = redact_json(request)
        reply = redact_events(reply) if tap.streamed else redact_json(reply)
    media = "text/event-stream" if tap.streamed else "application/json"
    return [Body("request", "application/json", request), Body("reply", media, reply)]


def redact_events(stream: bytes) -> bytes:
    """Redact the JSON of each server-sent event by itself."""
    lines = stream.split(b"\n")
    return b"\n".join(b"data: " + redact_json(line[6:]) if line.startswith(b"data: {") else line for line in lines)
