"""Asks a deployment, with small calls on record, what it really can do. Knows what to ask and how to tell; refuses to
judge how well it answers.

A probe that comes back as an error of the request says no; one that was taken and not honoured says `ignored`. What
fails for other reasons (no connection, a limit, a guard) says nothing, and is not kept.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from freehold.access import Key
from freehold.core.call import Call
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest, FreeholdError, NotFound, Unsupported, UpstreamRejected
from freehold.core.ids import new_id
from freehold.exits.gap import Probe
from freehold.pipeline import Pipeline
from freehold.store import Store
from freehold.wire.dialects import openai

Answer = dict[str, Any]
Check = Callable[[Answer], bool]


class Question(msgspec.Struct, frozen=True):
    """One probe: the members of the request, and what in the answer shows that it was honoured."""

    kind: str
    fields: dict[str, Any]
    honoured: Check
    what: str


class Unproven(msgspec.Struct, frozen=True):
    """A probe that said nothing, and why."""

    capability: str
    code: str
    message: str


def _says(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 64, "temperature": 0, **more}


def _square() -> str:
    """Return a picture of 16 x 16 red points as a data: URL (PNG, W3C's second edition)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + b"\xff\0\0" * 16 for _ in range(16))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0))
    image = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(image).decode()


def _message(answer: Answer) -> dict[str, Any]:
    return dict(answer["choices"][0].get("message") or {})


def _text(answer: Answer) -> str:
    return str(_message(answer).get("content") or answer["choices"][0].get("text") or "")


def _json(text: str) -> Any:
    return msgspec.json.decode(text)


_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "warm": {"type": "boolean"}},
    "required": ["city", "warm"],
    "additionalProperties": False,
}
_TOOL = {"name": "note_weather", "description": "Put down the weather of a city.", "parameters": _SCHEMA}


def _tools(strict: bool) -> dict[str, Any]:
    function = {**_TOOL, "strict": True} if strict else _TOOL
    return _says(
        "It is warm in Lisbon. Put that down.",
        tools=[{"type": "function", "function": function}],
        tool_choice="required",
    )


def _called(answer: Answer) -> bool:
    (call, *_) = _message(answer)["tool_calls"]
    return bool(call["function"]["name"] == "note_weather") and isinstance(_json(call["function"]["arguments"]), dict)


def _held(arguments: Any) -> bool:
    return isinstance(arguments, dict) and {name: type(value) for name, value in arguments.items()} == {
        "city": str,
        "warm": bool,
    }


def _strictly_called(answer: Answer) -> bool:
    return _called(answer) and _held(_json(_message(answer)["tool_calls"][0]["function"]["arguments"]))


_FORM = {"type": "json_schema", "json_schema": {"name": "weather", "strict": True, "schema": _SCHEMA}}
_PICTURE = [
    {"type": "text", "text": "Which colour is this picture? Answer with one word."},
    {"type": "image_url", "image_url": {"url": _square()}},
]
_BEGUN = [
    {"role": "user", "content": "What is the capital of France?"},
    {"role": "assistant", "content": "The capital of France is"},
]

QUESTIONS: Mapping[str, Question] = {
    "chat": Question("chat", _says("Say hello."), lambda a: bool(_text(a)), "answers a question"),
    "tools": Question("chat", _tools(False), _called, "calls a tool that it must call"),
    "strict_tools": Question("chat", _tools(True), _strictly_called, "keeps a tool's arguments to their schema"),
    "json_object": Question(
        "chat", _says('Give {"city": "Lisbon"} as JSON.', response_format={"type": "json_object"}),
        lambda a: isinstance(_json(_text(a)), dict), "answers with a JSON object",
    ),
    "json_schema": Question(
        "chat", _says("It is warm in Lisbon. Give that as JSON.", response_format=_FORM),
        lambda a: _held(_json(_text(a))), "keeps an answer to a schema",
    ),
    "logprobs": Question(
        "chat", _says("Say hello.", logprobs=True), lambda a: bool(a["choices"][0]["logprobs"]["content"]),
        "states how likely each token was",
    ),
    "choices": Question(
        "chat", _says("Say hello.", n=2), lambda a: len(a["choices"]) == 2, "gives two answers at once"
    ),
    "stop": Question(
        "chat", _says("Repeat exactly: one two three four", stop=["three"]), lambda a: "three" not in _text(a),
        "ends before a word that stops it",
    ),
    "vision": Question(
        "chat", {"messages": [{"role": "user", "content": _PICTURE}], "max_tokens": 64, "temperature": 0},
        lambda a: "red" in _text(a).lower(), "sees a red square",
    ),
    "prefill": Question(
        "chat", {"messages": _BEGUN, "max_tokens": 16, "temperature": 0},
        lambda a: "capital" not in _text(a).lower() and "paris" in _text(a).lower(), "goes on from a begun answer",
    ),
    "suffix": Question(
        "completion", {"prompt": "def add(a, b):\n    return ", "suffix": "\n\nprint(add(1, 2))\n", "max_tokens": 16},
        lambda a: bool(_text(a)), "fills in between two texts",
    ),
    "completion": Question(
        "completion", {"prompt": "Once upon a time", "max_tokens": 16}, lambda a: bool(_text(a)), "goes on from a text"
    ),
    "embedding": Question("embedding", {"input": "hello"}, lambda a: bool(a["data"][0]["embedding"]), "makes vectors"),
    "dimensions": Question(
        "embedding", {"input": "hello", "dimensions": 64}, lambda a: len(a["data"][0]["embedding"]) == 64,
        "makes vectors of a given length",
    ),
}  # fmt: skip
"""What is probed, by the name of the capability or use."""


def asked_of(capabilities: frozenset[str] | None, only: Sequence[str] = ()) -> list[str]:
    """Return the probes that make sense: `only`, or those of the kinds of call that a deployment declares. Raises
    BadRequest for a name that no probe has."""
    unknown = sorted(set(only) - set(QUESTIONS))
    if unknown:
        raise BadRequest(f"There is no probe called {unknown[0]!r}.", hint=f"one of {', '.join(QUESTIONS)}")
    if only:
        return list(dict.fromkeys(only))
    kinds = {"chat", "completion", "embedding"} & (capabilities or frozenset({"chat"})) or {"chat"}
    return [name for name, question in QUESTIONS.items() if question.kind in kinds]


async def probe(
    pipeline: Pipeline,
    store: Store,
    name: str,
    key: Key,
    only: Sequence[str] = (),
) -> tuple[list[Probe], list[Unproven]]:
    """Ask deployment `name` all of `asked_of`, one after the other, with `key`; keep and return what was found, and
    what said nothing. Each is a call on the ledger with the purpose `probe`. Raises NotFound, BadRequest,
    StoreError."""
    deployment = pipeline.snapshot.table.deployments.get(name)
    if deployment is None:
        raise NotFound(
            f"There is no deployment called {name!r}.",
            hint=f"one of {', '.join(sorted(pipeline.snapshot.table.deployments))}",
        )
    if deployment.wildcard:
        raise BadRequest(
            f"{name} takes any model, so there is none to probe.", hint="make a deployment of the model that is meant"
        )
    found: list[Probe] = []
    silent: list[Unproven] = []
    for capability in asked_of(deployment.capabilities, only):
        result = await _one(pipeline, name, deployment.model, capability, key)
        if isinstance(result, Probe):
            found.append(result)
            await keep(store, result)
        else:
            silent.append(result)
    return found, silent


async def _one(pipeline: Pipeline, name: str, model: str, capability: str, key: Key) -> Probe | Unproven:
    question = QUESTIONS[capability]
    body = msgspec.json.encode({"model": name, **question.fields})
    call: Call = openai.parse(question.kind, body, model=None)  # type: ignore[arg-type]
    call.purpose = "probe"
    call.data_class = "public"  # the words are ours, and say nothing

    def said(what: Any, detail: str = "") -> Probe:
        return Probe(name, model, capability, what, now_ns(), call.id, detail[:300])

    try:
        answer = msgspec.json.decode(await pipeline.ask(call, key))
    except (Unsupported, UpstreamRejected) as e:
        if isinstance(e, UpstreamRejected) and e.status not in (400, 404, 415, 422, 501):
            return Unproven(capability, e.code, e.message)
        return said("no", e.message)
    except FreeholdError as e:
        return Unproven(capability, e.code, e.message)
    except msgspec.DecodeError:
        return said("ignored", "the answer is no JSON")
    try:
        honoured = question.honoured(answer)
    except (msgspec.DecodeError, LookupError, TypeError, ValueError, AttributeError):
        honoured = False
    return said(
        "yes" if honoured else "ignored", "" if honoured else f"it answered, but not as one that {question.what}"
    )


async def keep(store: Store, found: Probe) -> None:
    """Put down what a probe found."""
    await store.write(
        (
            "INSERT INTO probe(id, deployment, model, capability, found, at, call, detail) VALUES (?,?,?,?,?,?,?,?)",
            [(new_id("probe"), found.deployment, found.model, found.capability, found.found, found.at, found.call,
              found.detail.replace("\0", ""))],
        )
    )  # fmt: skip


async def latest(store: Store, deployment: str | None = None) -> list[Probe]:
    """Return the latest of each probe by deployment, model and capability; of one deployment or of all."""
    where, args = ("WHERE deployment = ?", (deployment,)) if deployment is not None else ("", ())
    rows = await store.fetch(
        f"SELECT deployment, model, capability, found, at, call, detail FROM probe {where} ORDER BY at", *args
    )
    return list({(row[0], row[1], row[2]): Probe(*row) for row in rows}.values())
