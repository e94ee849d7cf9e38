"""How the ledger is shown to people: entries, sums and texts as lines. Refuses to ask the ledger anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freehold.ledger import Kept, Stored, Total

SUMS = ("calls", "failed calls", "attempts", "failed attempts", "input", "output", "cached", "cost")
"""Columns of the table of sums, behind what they are sums by."""
_UNKNOWN = "unknown"


def line(stored: Stored, names: dict[str, str]) -> dict[str, Any]:
    """Return an entry as a line of the table."""
    import msgspec

    from freehold.core.clock import iso

    entry = stored.entry
    mark = "~" if entry.estimated else ""
    row: dict[str, Any] = {**msgspec.structs.asdict(entry), "at": iso(entry.at)[:19]}
    row |= {"key": names.get(entry.key, entry.key) or None, "cost": None, "error": entry.error or None}
    row |= {"status": entry.status or None, "input": None, "output": None}
    if entry.kind == "outcome":
        row |= {"input": f"{mark}{entry.input}", "output": f"{mark}{entry.output}"}
        row["cost"] = _cost(entry.cost, entry.currency, entry.estimated, entry.error == "not_sent")
    return row


def _cost(cost: int, currency: str, estimated: bool, free: bool = False) -> str | None:
    """Return a cost for people. What has no price has an unknown cost, which is not none."""
    from freehold.core.money import show

    if free:
        return None
    if not currency:
        return f"{_UNKNOWN}, {show(cost, '').strip()} reserved" if cost else _UNKNOWN
    return f"{'~' if estimated else ''}{show(cost, currency)}"


def totalled(by: list[str], total: Total, names: dict[str, str], machine: bool) -> dict[str, Any]:
    from freehold.core.money import show
    from freehold.ledger.columns import priced

    groups = dict(zip(by, total.group, strict=True))
    if not machine:
        people = {name: names.get(str(value), value) or None for name, value in groups.items()}
        sums = (total.calls, total.failed_calls, total.attempts, total.failed_attempts)
        tokens = (total.input, total.output, total.cached)
        return people | dict(zip(SUMS, (*sums, *tokens, _cost(total.cost, total.currency, False)), strict=True))
    row: dict[str, Any] = {}
    for name, value in groups.items():
        row[name] = value
        if name in ("key", "team"):
            row[f"{name}_name"] = names.get(str(value), "")
    known = priced(total.cost, total.currency)
    return row | {
        "calls": total.calls,
        "failed_calls": total.failed_calls,
        "attempts": total.attempts,
        "failed_attempts": total.failed_attempts,
        "input_tokens": total.input,
        "output_tokens": total.output,
        "cached_tokens": total.cached,
        "cost_nano": total.cost if known else None,
        "cost": show(total.cost, "").strip() if known else None,
        "currency": total.currency,
    }


def block(row: dict[str, Any]) -> str:
    """Return an entry with every field that says something, one a line."""
    people = dict(row)
    people["key"], people["team"] = _named(row, "key"), _named(row, "team")
    people["cost"] = None
    if row["kind"] == "outcome":
        people["cost"] = _cost(row["cost_nano"] or 0, row["currency"], row["estimated"], row["error"] == "not_sent")
    people["tokens"] = _tokens(row)
    people["time"] = _time(row)
    people["reserved"] = _reserved(row)
    title = f"{row['kind']}, attempt {row['attempt']}"
    shown = [(label, people[name]) for name, label in _LABELS.items() if people[name] not in (None, "", (), 0)]
    width = max(len(label) for label, _ in shown)
    told = (", ".join(value) if isinstance(value, tuple) else str(value) for _, value in shown)
    return "\n".join([title, *(f"  {label:<{width}}  {text}" for (label, _), text in zip(shown, told, strict=True))])


_LABELS = {
    "at": "at",
    "seq": "entry",
    "call": "call",
    "purpose": "purpose",
    "key": "key",
    "team": "team",
    "dialect": "dialect",
    "endpoint": "endpoint",
    "asked": "model asked for",
    "sent": "model sent",
    "answered": "model that answered",
    "deployment": "deployment",
    "maker": "maker (trained it)",
    "seller": "seller (bills for it)",
    "host": "host (runs it)",
    "region": "region",
    "contract": "contract",
    "status": "HTTP status",
    "error": "error",
    "tokens": "tokens",
    "cost": "cost",
    "reserved": "reserved before",
    "time": "time",
    "dropped": "fields not honoured",
    "limits": "limits charged",
    "session": "session",
    "user": "user",
    "note": "note",
    "snapshot": "configuration",
    "hash": "seal",
}


def _named(row: dict[str, Any], what: str) -> str | None:
    name = row[f"{what}_name"]
    return f"{name} ({row[what]})" if name else row[what]


def _tokens(row: dict[str, Any]) -> str | None:
    if row["kind"] != "outcome":
        return None
    text = f"{row['input_tokens']} in, {row['output_tokens']} out"
    extra = [f"{row[f'{name}_tokens']} {name}" for name in ("cached", "reasoning") if row[f"{name}_tokens"]]
    text += f" (of them {', '.join(extra)})" if extra else ""
    return text + (", estimated by us" if row["estimated"] else "")


def _time(row: dict[str, Any]) -> str | None:
    if not row["total_ms"]:
        return None
    first = f", {row['first_ms']:.0f} ms to the first byte" if row["first_ms"] else ""
    return f"{row['total_ms']:.0f} ms{first}"


def _reserved(row: dict[str, Any]) -> str | None:
    from freehold.core.money import show

    parts = [show(row["reserved_nano"], row["currency"]).strip()] if row["reserved_nano"] else []
    parts += [f"{row['reserved_tokens']} tokens"] if row["reserved_tokens"] else []
    return ", ".join(parts) or None


def text(kept: Kept) -> str:
    """Return a kept text under its heading."""
    from freehold.core.clock import iso

    heading = f"{kept.part}, attempt {kept.attempt} ({kept.media})"
    if kept.data is None:
        return f"{heading}\n  erased {iso(kept.erased_at or 0)}: {kept.erased_why}"
    return f"{heading}\n{bytes(kept.data).decode('utf-8', 'replace').rstrip()}"


def body(kept: Kept) -> dict[str, Any]:
    """Return a kept text for machines: `text`, or `base64` when it is none."""
    import base64

    from freehold.core.clock import iso

    row: dict[str, Any] = {"attempt": kept.attempt, "part": kept.part, "at": iso(kept.at), "media": kept.media}
    if kept.data is None:
        return row | {"text": None, "erased_at": iso(kept.erased_at or 0), "erased_why": kept.erased_why}
    try:
        return row | {"text": bytes(kept.data).decode("utf-8")}
    except UnicodeDecodeError:
        return row | {"base64": base64.b64encode(bytes(kept.data)).decode()}
