"""What an OpenAI-style vendor answers, deterministically. Knows the JSON of the wire format; refuses to know sockets.

The answer repeats the last user text, so that every reply can be matched with its own request.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

Json = dict[str, Any]
CREATED = 1_767_225_600  # a fixed instant, so that two equal requests have equal answers
WORD = "needle"
"""A text with this word is hate to every judge of this vendor's."""
_PIECES = re.compile(r"\S+\s*|\s+")
_encode = msgspec.json.encode

KNOWN: dict[str, frozenset[str]] = {
    "chat": frozenset(
        {
            "model",
            "messages",
            "stream",
            "stream_options",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "response_format",
            "logprobs",
            "top_logprobs",
            "n",
            "stop",
            "seed",
            "logit_bias",
            "presence_penalty",
            "frequency_penalty",
            "temperature",
            "top_p",
            "max_tokens",
            "max_completion_tokens",
            "user",
            "metadata",
            "store",
            "service_tier",
            "reasoning_effort",
            "modalities",
            "prediction",
            "safety_identifier",
            "prompt_cache_key",
            "verbosity",
            "functions",
            "function_call",
            "audio",
            "web_search_options",
            "prompt_cache_retention",
        }
    ),
    "completion": frozenset(
        {
            "model",
            "prompt",
            "suffix",
            "stream",
            "stream_options",
            "n",
            "stop",
            "seed",
            "logit_bias",
            "presence_penalty",
            "frequency_penalty",
            "temperature",
            "top_p",
            "max_tokens",
            "logprobs",
            "echo",
            "best_of",
            "user",
        }
    ),
    "embedding": frozenset({"model", "input", "encoding_format", "dimensions", "user"}),
}


ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
RANGES = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "n": (1, 128),
    "max_tokens": (1, 1 << 20),
    "max_completion_tokens": (1, 1 << 20),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}


class Act(msgspec.Struct, frozen=True):
    """How to behave for one request, written `name;key=value;...` in the model's name or in a script."""

    name: str = "ok"
    args: Mapping[str, str] = {}

    @classmethod
    def parse(cls, text: str) -> Act:
        name, *rest = text.split(";")
        pairs = (item.partition("=") for item in rest)
        return cls(name, {key: value for key, _, value in pairs})

    def number(self, key: str, default: float) -> float:
        return float(self.args.get(key, default))


class Problem(Exception):
    """A reply that is an error: HTTP status, error object, extra headers."""

    def __init__(self, status: int, error: Json, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(error.get("message", ""))
        self.status, self.error, self.headers = status, error, tuple(headers)


def bad(message: str, param: str | None = None, code: str | None = None, status: int = 400) -> Problem:
    """An OpenAI error object."""
    return Problem(status, {"message": message, "type": "invalid_request_error", "param": param, "code": code})


def text_of(content: Any) -> str:
    """The text of a message's content: a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if isinstance(part, dict))
    return ""


def pieces_of(text: str) -> list[str]:
    """The pieces of a streamed text; a piece counts as one token."""
    return _PIECES.findall(text)


def example(schema: Json, text: str, root: Json | None = None) -> Any:
    """A value that satisfies `schema`; its strings are `text`."""
    root = schema if root is None else root
    if "$ref" in schema:
        node: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            node = node[part]
        return example(node, text, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example(schema["anyOf"][0], text, root)
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        return {name: example(sub, text, root) for name, sub in schema.get("properties", {}).items()}
    if kind == "array":
        return [example(schema.get("items", {"type": "string"}), text, root)] * max(1, schema.get("minItems", 1))
    return {"string": text, "integer": 7, "number": 7.5, "boolean": True, "null": None}[kind]


def check(kind: str, request: Any) -> Json:
    """Refuse what OpenAI refuses: an unknown parameter, missing members, impossible values."""
    if not isinstance(request, dict):
        raise bad("We could not parse the JSON body of your request.")
    for name in request:
        if name not in KNOWN[kind]:
            raise bad(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    needed = {"chat": "messages", "completion": "prompt", "embedding": "input"}[kind]
    if needed not in request:
        raise bad(f"Missing required parameter: '{needed}'.", needed, "missing_required_parameter")
    if kind == "chat":
        if not request["messages"]:
            raise bad("Invalid 'messages': empty array.", "messages", "empty_array")
        for n, message in enumerate(request["messages"]):
            if message.get("role") not in ROLES:
                raise bad(f"Invalid value: '{message.get('role')}'.", f"messages[{n}].role", "invalid_value")
    for name, (low, high) in RANGES.items():
        value = request.get(name)
        if value is not None and (not isinstance(value, int | float) or not low <= value <= high):
            raise bad(f"Invalid value for '{name}'.", name, "invalid_value")
    if request.get("stream_options") and not request.get("stream"):
        raise bad("'stream_options' is only allowed when 'stream' is enabled.", "stream_options")
    return request


class Choice(msgspec.Struct):
    """One answer before it is written as whole or as pieces."""

    text: str | None
    calls: list[tuple[str, str, str]]  # id, function name, arguments
    finish: str


def _shorten(text: str, request: Json) -> tuple[str, str]:
    finish = "stop"
    stops = request.get("stop") or []
    for stop in [stops] if isinstance(stops, str) else stops:
        text = text.split(stop)[0]
    bound = request.get("max_completion_tokens") or request.get("max_tokens")
    pieces = pieces_of(text)
    if bound and len(pieces) > bound:
        text, finish = "".join(pieces[:bound]), "length"
    return text, finish


def _tool_calls(request: Json, said: str, index: int) -> list[tuple[str, str, str]]:
    tools = [tool["function"] for tool in request.get("tools") or [] if tool.get("type") == "function"]
    choice = request.get("tool_choice", "auto")
    if isinstance(choice, dict):
        tools = [tool for tool in tools if tool["name"] == choice["function"]["name"]]
    elif choice == "auto":
        tools = [tool for tool in tools if tool["name"] in said]
    elif choice == "none":
        tools = []
    elif choice == "required":
        tools = [tool for tool in tools if tool["name"] in said] or tools[:1]
    return [
        (
            "call_" + hashlib.sha256(f"{said}{index}{n}".encode()).hexdigest()[:24],
            tool["name"],
            _encode(example(tool.get("parameters") or {"type": "object"}, said)).decode(),
        )
        for n, tool in enumerate(tools)
    ]


def chat_choices(request: Json, act: Act) -> list[Choice]:
    """The answers to a chat request."""
    users = [m for m in request["messages"] if m.get("role") == "user"]
    said = text_of((users or request["messages"])[-1].get("content"))
    made = []
    last = request["messages"][-1]
    if act.args.get("tools") == "once" and last.get("role") == "tool":
        said, request = f"the tool says {text_of(last.get('content'))}", {**request, "tools": []}
    for index in range(request.get("n") or 1):
        calls = _tool_calls(request, said, index)
        if calls:
            made.append(Choice(None, calls, "tool_calls"))
            continue
        form = request.get("response_format") or {"type": "text"}
        if act.name == "guard":
            judged = text_of(request["messages"][-1].get("content"))
            made.append(Choice("unsafe\nS10" if WORD in judged else "safe", [], "stop"))
            continue
        if form["type"] == "json_schema":
            text = _encode(example(form["json_schema"]["schema"], said)).decode()
        elif form["type"] == "json_object":
            text = _encode({"echo": said}).decode()
        else:
            text = f"You said: {said}" + " and so on" * int(act.number("more", 0))
        made.append(Choice(*_cut(text, request)))
    return made


def _cut(text: str, request: Json) -> tuple[str, list[tuple[str, str, str]], str]:
    short, finish = _shorten(text, request)
    return short, [], finish


def filter_of(act: Act) -> Json:
    """What Azure's filter says of an answer; `filtered` has it stop."""
    stopped = {"hate": {"filtered": True, "severity": "medium"}} if act.name == "filtered" else {}
    return {**_SAFE, **stopped}


def usage_of(request: Json, choices: Sequence[Choice], act: Act) -> Json:
    """The usage block; `in`, `out`, `cached` and `reasoning` of the act override the counts."""
    asked = sum(4 + len(pieces_of(text_of(m.get("content")))) for m in request.get("messages", ()))
    asked += sum(len(pieces_of(p)) for p in prompts_of(request.get("prompt", [])))
    done = sum(len(pieces_of(c.text or "")) + sum(len(a) // 4 + 1 for _, _, a in c.calls) for c in choices)
    asked, done = int(act.number("in", asked)), int(act.number("out", done))
    return {
        "prompt_tokens": asked,
        "completion_tokens": done,
        "total_tokens": asked + done,
        "prompt_tokens_details": {"cached_tokens": int(act.number("cached", 0)), "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": int(act.number("reasoning", 0)),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _token_logprob(piece: str, top: int) -> Json:
    def one(token: str, value: float) -> Json:
        return {"token": token, "logprob": value, "bytes": list(token.encode())}

    return {**one(piece, -0.25), "top_logprobs": [one(piece, -0.25), one("~", -2.5)][:top]}


def _logprobs(request: Json, pieces: Sequence[str]) -> Json | None:
    if not request.get("logprobs"):
        return None
    return {"content": [_token_logprob(p, request.get("top_logprobs") or 0) for p in pieces], "refusal": None}


_SAFE = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
PROMPT_FILTER = [
    {"prompt_index": 0, "content_filter_results": {**_SAFE, "jailbreak": {"filtered": False, "detected": False}}}
]


def _id(request: Json) -> str:
    return hashlib.sha256(_encode(request)).hexdigest()[:29]


def _message(choice: Choice) -> Json:
    message: Json = {"role": "assistant", "content": choice.text, "refusal": None, "annotations": []}
    if choice.calls:
        message["tool_calls"] = [
            {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id_, name, arguments in choice.calls
        ]
    return message


def chat_whole(request: Json, act: Act, *, azure: bool, answered: str) -> Json:
    """A `chat.completion` object."""
    choices = chat_choices(request, act)
    reply: Json = {
        "id": "chatcmpl-" + _id(request),
        "object": "chat.completion",
        "created": CREATED,
        "model": answered,
        "choices": [
            {
                "index": index,
                "message": _message(choice),
                "logprobs": _logprobs(request, pieces_of(choice.text or "")),
                "finish_reason": "content_filter" if act.name == "filtered" else choice.finish,
                **({"content_filter_results": filter_of(act)} if azure else {}),
            }
            for index, choice in enumerate(choices)
        ],
        "usage": usage_of(request, choices, act),
        "service_tier": "default",
        "system_fingerprint": "fp_freeholdtest",
    }
    if azure:
        reply["prompt_filter_results"] = PROMPT_FILTER
    if act.name == "no_usage":
        del reply["usage"]
    return reply


def _deltas(choice: Choice, request: Json, split: int) -> Iterator[tuple[Json, Json | None]]:
    yield {"role": "assistant", "content": None if choice.calls else "", "refusal": None}, None
    text = choice.text or ""
    for piece in pieces_of(text) if not split else filter(None, (text[:split], text[split:])):
        yield {"content": piece}, _logprobs(request, [piece])
    for n, (id_, name, arguments) in enumerate(choice.calls):
        head = {"index": n, "id": id_, "type": "function", "function": {"name": name, "arguments": ""}}
        yield {"tool_calls": [head]}, None
        for at in range(0, len(arguments), 5):
            yield {"tool_calls": [{"index": n, "function": {"arguments": arguments[at : at + 5]}}]}, None


def chat_events(request: Json, act: Act, *, azure: bool, answered: str) -> list[Json]:
    """The `chat.completion.chunk` objects of a stream, in order, without the closing [DONE]. With `split` a text comes
    in two pieces, the first of that many characters."""
    choices = chat_choices(request, act)
    usage = usage_of(request, choices, act)
    asked = bool((request.get("stream_options") or {}).get("include_usage")) and act.name != "no_usage"
    head = {
        "id": "chatcmpl-" + _id(request),
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": answered,
        "service_tier": "default",
        "system_fingerprint": "fp_freeholdtest",
    }
    rest: Json = {"usage": None} if asked else {}
    if act.name == "usage_each":
        rest = {"usage": usage}
    events: list[Json] = []
    if azure:
        events.append(
            {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": PROMPT_FILTER}
        )
    for index, choice in enumerate(choices):
        thoughts = [({"reasoning_content": piece}, None) for piece in pieces_of(act.args.get("thinks", ""))]
        for delta, logprobs in (*thoughts, *_deltas(choice, request, int(act.number("split", 0)))):
            one: Json = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": None}
            if azure and delta.get("content"):
                one["content_filter_results"] = _SAFE
            events.append({**head, "choices": [one], **rest})
        finish = "content_filter" if act.name == "filtered" else choice.finish
        last: Json = {"index": index, "delta": {}, "logprobs": None, "finish_reason": finish}
        if azure and act.name == "filtered":
            last["content_filter_results"] = filter_of(act)
        events.append({**head, "choices": [last], **rest})
    if asked:
        events.append({**head, "choices": [], "usage": usage})
    return events


def prompts_of(prompt: Any) -> list[str]:
    """The prompts of a completion or embedding request as texts; token arrays as their numbers."""
    if isinstance(prompt, str):
        return [prompt]
    if prompt and all(isinstance(item, int) for item in prompt):
        return [" ".join(map(str, prompt))]
    return [item if isinstance(item, str) else " ".join(map(str, item)) for item in prompt]


def _completions(request: Json) -> list[tuple[str, str]]:
    made = []
    for prompt in prompts_of(request["prompt"]):
        for _ in range(request.get("n") or 1):
            text = f" You said: {prompt}"
            if request.get("suffix"):
                text += f" before: {request['suffix']}"
            text, finish = _shorten(text, request)
            made.append((prompt + text if request.get("echo") else text, finish))
    return made


def _old_logprobs(request: Json, text: str) -> Json | None:
    if request.get("logprobs") is None:
        return None
    pieces = pieces_of(text)
    offsets = [sum(map(len, pieces[:n])) for n in range(len(pieces))]
    return {
        "tokens": pieces,
        "token_logprobs": [-0.25] * len(pieces),
        "top_logprobs": [{piece: -0.25} for piece in pieces],
        "text_offset": offsets,
    }


def completion_whole(request: Json, act: Act, *, azure: bool, answered: str) -> Json:
    """A `text_completion` object."""
    made = _completions(request)
    reply: Json = {
        "id": "cmpl-" + _id(request),
        "object": "text_completion",
        "created": CREATED,
        "model": answered,
        "choices": [
            {
                "text": text,
                "index": index,
                "logprobs": _old_logprobs(request, text),
                "finish_reason": finish,
                **({"content_filter_results": _SAFE} if azure else {}),
            }
            for index, (text, finish) in enumerate(made)
        ],
        "usage": usage_of(request, [Choice(text, [], finish) for text, finish in made], act),
        "system_fingerprint": "fp_freeholdtest",
    }
    if azure:
        reply["prompt_filter_results"] = PROMPT_FILTER
    if act.name == "no_usage":
        del reply["usage"]
    return reply


def completion_events(request: Json, act: Act, *, azure: bool, answered: str) -> list[Json]:
    """The chunks of a streamed text completion."""
    whole = completion_whole({**request, "stream": None}, act, azure=azure, answered=answered)
    usage = whole.pop("usage", None)
    asked = bool((request.get("stream_options") or {}).get("include_usage")) and usage is not None
    events: list[Json] = []
    if azure:
        filtered = whole.pop("prompt_filter_results")
        events.append({**whole, "choices": [], "prompt_filter_results": filtered})
    for choice in whole["choices"]:
        for piece in pieces_of(choice["text"]):
            one = {"text": piece, "index": choice["index"], "logprobs": _old_logprobs(request, piece)}
            events.append({**whole, "choices": [{**one, "finish_reason": None}]})
        last = {"text": "", "index": choice["index"], "logprobs": None, "finish_reason": choice["finish_reason"]}
        events.append({**whole, "choices": [last]})
    if asked:
        events.append({**whole, "choices": [], "usage": usage})
    return events


def vector(text: str, dimensions: int) -> list[float]:
    """A unit vector that depends on `text` alone; its components are exact in 32 bits."""
    seed = hashlib.sha512(text.encode()).digest() * (dimensions // 64 + 1)
    raw = [byte - 127.5 for byte in seed[:dimensions]]
    size = sum(x * x for x in raw) ** 0.5
    return list(struct.unpack(f"<{dimensions}f", struct.pack(f"<{dimensions}f", *(x / size for x in raw))))


def embedding_whole(request: Json, act: Act, *, azure: bool, answered: str) -> Json:
    """The list of embeddings, as floats or base64."""
    dimensions = request.get("dimensions") or 32
    data = []
    inputs = prompts_of(request["input"])
    for index, text in enumerate(inputs):
        values = vector(text, dimensions)
        form: Any = values
        if request.get("encoding_format") == "base64":
            form = base64.b64encode(struct.pack(f"<{dimensions}f", *values)).decode()
        data.append({"object": "embedding", "index": index, "embedding": form})
    count = int(act.number("in", sum(len(pieces_of(text)) for text in inputs)))
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "data": data, "model": answered, "usage": usage}
