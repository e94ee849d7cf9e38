"""A conversation as Markdown for people: the branch that is shown, and of each answer who made, sold and hosted it and
what it cost. Pure; refuses to know files and archives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from freehold.assist import tree
from freehold.assist.shapes import Conversation, Facts, FilePart, Message, Text, ToolPart

_STATES = {"stopped": "stopped", "failed": "failed", "interrupted": "broken off", "running": "still being written"}


def shown(found: Conversation, messages: Sequence[Message]) -> list[Message]:
    """Return the branch that is shown, the oldest message first; the newest branch where none is named."""
    by_id = tree.index(messages)
    leaf = found.leaf if found.leaf in by_id else next((m.id for m in reversed(messages) if m.state != "queued"), None)
    return tree.branch(by_id, leaf)


def markdown(found: Conversation, messages: Sequence[Message]) -> str:
    """Return the branch that is shown as Markdown."""
    branch = shown(found, messages)
    lines = [f"# {_line(found.title) or 'Conversation'}", "", f"{_day(found.created_at)} · {found.id}"]
    others = len(messages) - len(branch)
    if others:
        lines += ["", f"*Not shown here, because on other branches: {others} of {len(messages)} messages.*"]
    for message in branch:
        lines += ["", f"## {_who(message)}", ""]
        if message.role == "assistant":
            lines += [f"*{provenance(message)}*", ""]
        for part in message.parts:
            if isinstance(part, Text):
                lines += [part.text.strip("\n"), ""]
            elif isinstance(part, FilePart):
                used = f" ({_line(part.note or part.mode)})" if part.note or part.mode else ""
                lines += [f"*File: {_line(part.name)}{used}*", ""]
            elif isinstance(part, ToolPart):
                lines += [f"*Tool: {_line(part.server)}/{_line(part.name)}, {part.state}*", ""]
    return "\n".join(lines).rstrip() + "\n"


def _who(message: Message) -> str:
    if message.role == "user":
        return "You"
    if message.role == "system":
        return "System"
    return _line(message.model) or "Assistant"


def provenance(message: Message) -> str:
    """Return one line on where an answer comes from, and how it ended where it did not end well."""
    said = [_facts(message.facts)] if message.facts is not None else []
    if message.origin:
        said.append(f"from {_line(message.origin)}, where Freehold did not see who answered")
    if message.state in _STATES:
        said.append(_STATES[message.state])
    if message.cut:
        said.append("cut at its length")
    return "; ".join(filter(None, said)) or "nothing is known of where this comes from"


def _facts(facts: Facts) -> str:
    parties = [(facts.answered or facts.sent or facts.asked, "")]
    parties += [(facts.maker, "made by "), (facts.seller, "sold by "), (facts.host, "hosted by ")]
    said = [word + _line(name) for name, word in parties if name]
    if facts.region:
        said[-1:] = [f"{said[-1]} ({_line(facts.region)})"] if said else [_line(facts.region)]
    about = "about " if facts.estimated else ""
    said.append(f"{about}{facts.input:,} tokens in, {facts.output:,} out")
    cost = f"{facts.cost} {facts.currency}".strip() if facts.cost is not None else "cost unknown"
    return ", ".join([*said, cost])


def _line(text: str) -> str:
    """One line, in which no sign is Markdown's."""
    plain = " ".join(text.split())
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#|" else sign for sign in plain)


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(max(at_ms, 0) / 1000, UTC).strftime("%Y-%m-%d")
