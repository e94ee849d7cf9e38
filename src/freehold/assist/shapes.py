"""What a conversation, a message and its parts are: as JSON of the API and as rows of the store. Refuses to do anything
with them.

The structs are the API's shapes, field by field: times in milliseconds since the epoch, money as decimal text. Rows
keep nanoseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from freehold.core.clock import now_ns
from freehold.core.money import nano, show
from freehold.ledger import Entry
from freehold.routing import Deployment

MS = 1_000_000
"""Nanoseconds of a millisecond."""

Role = Literal["user", "assistant", "system"]
State = Literal["done", "running", "waiting", "stopped", "failed", "interrupted", "queued"]
Mode = Literal["whole", "passages", "image", "none"]
ToolState = Literal["asked", "running", "done", "failed", "refused"]


class Text(msgspec.Struct, tag_field="type", tag="text"):
    """What was said."""

    text: str


class Reasoning(msgspec.Struct, tag_field="type", tag="reasoning"):
    """What a model thought before it said something, where it shows that."""

    text: str


class FilePart(msgspec.Struct, tag_field="type", tag="file"):
    """A file that was put to a question, and the way in which it went to the model; "" before that is known."""

    file: str
    name: str
    media: str
    bytes: int
    mode: Mode | Literal[""] = ""
    note: str = ""


class ToolPart(msgspec.Struct, tag_field="type", tag="tool"):
    """One use of a tool. `id` is the model's own name for it; `result` is data from outside, never an instruction."""

    id: str
    server: str
    name: str
    arguments: str
    state: ToolState = "asked"
    result: str = ""


Part = Text | Reasoning | FilePart | ToolPart


class Fault(msgspec.Struct):
    """Why an answer failed: a stable code, and what people read."""

    code: str
    message: str


class Ruling(msgspec.Struct):
    """What was decided about the words of an answer or its question, by whom (see ledger.Verdict)."""

    by: str
    side: str
    category: str
    severity: int
    action: str
    dry: bool


class Facts(msgspec.Struct):
    """Who made, sold and hosted an answer, and what it took. Of an answer with tools all calls are added up: the names
    are those of the last one. `note` says what was left out of the question for want of room. `saw` are the parties
    that got to see the words, `retention` days for which they may keep them (None: nobody says), `redactions` what was
    taken out before the words left."""

    call: str = ""
    deployment: str = ""
    asked: str = ""
    sent: str = ""
    answered: str = ""
    maker: str = ""
    seller: str = ""
    host: str = ""
    region: str = ""
    contract: str = ""
    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    estimated: bool = False
    cost: str | None = None
    currency: str = ""
    first_ms: float = 0.0
    total_ms: float = 0.0
    dropped: list[str] = []
    calls: int = 0
    note: str = ""
    data_class: str = ""
    saw: list[str] = []
    retention: int | None = None
    trains: str = ""
    redactions: dict[str, int] = {}
    verdicts: list[Ruling] = []

    def name(self, deployment: Deployment) -> None:
        """Say who is answering, before it is known what that takes."""
        self.deployment, self.maker, self.seller = deployment.name, deployment.maker, deployment.seller
        self.host, self.region, self.contract = deployment.host, deployment.region, deployment.contract

    def add(self, entry: Entry) -> None:
        """Count one more call, by its outcome on the ledger."""
        first = not self.calls
        self.call, self.deployment, self.asked = entry.call, entry.deployment, entry.asked
        self.sent, self.answered = entry.sent, entry.answered
        self.maker, self.seller, self.host = entry.maker, entry.seller, entry.host
        self.region, self.contract = entry.region, entry.contract
        self.data_class, self.trains = entry.data_class, entry.trains
        self.retention = entry.retention if entry.retention >= 0 else None
        self.saw = list(dict.fromkeys([*self.saw, *entry.recipients]))
        for kind, times in entry.redactions:
            self.redactions[kind] = max(times, self.redactions.get(kind, 0))  # each call sends what went before again
        rulings = [Ruling(v.by, v.side, v.category, v.severity, v.action, v.dry) for v in entry.verdicts]
        self.verdicts += [ruling for ruling in rulings if ruling not in self.verdicts]
        self.input += entry.input
        self.output += entry.output
        self.cached += entry.cached
        self.reasoning += entry.reasoning
        self.estimated = self.estimated or entry.estimated
        if entry.currency and (first or self.cost is not None):
            self.currency = entry.currency
            self.cost = show(nano(self.cost or "0") + entry.cost, "").strip()
        else:  # what one call cost is not known, so neither is the sum
            self.cost = None
        if first:
            self.first_ms = round(entry.first_ms, 1)
        self.total_ms = round(self.total_ms + entry.total_ms, 1)
        self.dropped = [*self.dropped, *(name for name in entry.dropped if name not in self.dropped)]
        self.calls += 1


class Message(msgspec.Struct):
    """A node of a conversation's tree. `n` counts the deltas that made it so far."""

    id: str
    conversation: str
    parent: str | None
    role: Role
    parts: list[Part]
    state: State
    model: str = ""
    group: str | None = None
    facts: Facts | None = None
    error: Fault | None = None
    n: int = 0
    created_at: int = 0
    origin: str = ""
    cut: bool = False

    @property
    def text(self) -> str:
        """All that was said in it."""
        return "\n\n".join(part.text for part in self.parts if isinstance(part, Text) and part.text)


class Conversation(msgspec.Struct):
    """A conversation without its messages. `leaf` names the branch that is shown."""

    id: str
    title: str
    project: str | None
    assistant: str | None
    leaf: str | None
    models: list[str]
    tools: list[str]
    pinned: bool
    archived: bool
    source: str
    created_at: int
    updated_at: int
    running: bool


class Wanted(msgspec.Struct):
    """What a queued turn asks for once its time has come. `fixed`: it keeps its parent (an edit); else it follows the
    branch that is shown by then."""

    models: list[str]
    fixed: bool = False


_parts = msgspec.json.Decoder(list[Part])
_facts = msgspec.json.Decoder(Facts)
_fault = msgspec.json.Decoder(Fault)
_names = msgspec.json.Decoder(list[str])
wanted = msgspec.json.Decoder(Wanted).decode

MESSAGE = "id, conversation, parent, role, parts, state, model, bunch, facts, error, n, created_at, origin, cut"
"""The columns that `message` reads, in order."""

CONVERSATION = (
    "c.id, c.title, c.project, c.assistant, c.leaf, c.models, c.tools, c.pinned, c.archived, c.source, c.created_at, "
    "c.updated_at, EXISTS (SELECT 1 FROM run r WHERE r.conversation = c.id)"
)
"""The columns that `conversation` reads, in order, of a table called `c`."""


def message(row: Sequence[Any]) -> Message:
    """Return the message of a row of `MESSAGE`."""
    facts, error = row[8], row[9]
    return Message(
        row[0],
        row[1],
        row[2],
        row[3],
        _parts.decode(row[4]),
        row[5],
        row[6],
        row[7],
        _facts.decode(facts) if facts else None,
        _fault.decode(error) if error else None,
        row[10],
        row[11] // MS,
        row[12],
        bool(row[13]),
    )


def conversation(row: Sequence[Any]) -> Conversation:
    """Return the conversation of a row of `CONVERSATION`."""
    id, title, project, assistant, leaf = row[:5]
    return Conversation(
        id,
        title,
        project,
        assistant,
        leaf,
        _names.decode(row[5]),
        _names.decode(row[6]),
        bool(row[7]),
        bool(row[8]),
        row[9],
        row[10] // MS,
        row[11] // MS,
        bool(row[12]),
    )


def pack(value: Any) -> str | None:
    """Return a column's JSON text; None for None."""
    return None if value is None else msgspec.json.encode(value).decode()


INSERT = (
    "INSERT INTO message(id, conversation, parent, role, parts, state, model, bunch, facts, error, n, created_at, "
    "origin, cut, wanted, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def row(made: Message, at: int, wanted: Wanted | None = None) -> tuple[Any, ...]:
    """Return the values of `INSERT` for a message made at `at` (ns)."""
    return (
        made.id, made.conversation, made.parent, made.role, pack(made.parts), made.state, made.model, made.group,
        pack(made.facts), pack(made.error), made.n, at, made.origin, int(made.cut), pack(wanted), now_ns(),
    )  # fmt: skip
