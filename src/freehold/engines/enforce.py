"""Tool calls and JSON replies, enforced where llama.cpp only asks the model nicely. Pure; refuses to know the engine.

What must be a call is generated under a grammar for {"name": ..., "arguments": {...}} and turned back into OpenAI's
`tool_calls`. What may be a call is read by the template's own parser and, behind it, by ours: small models answer with
a lone block of JSON.
"""

from __future__ import annotations

import re
import secrets
from typing import Any, Literal

import msgspec

from freehold.core.errors import BadRequest, Unsupported
from freehold.engines import schema as schemas
from freehold.engines.schema_bounds import Weight

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOOLS_LIMIT = 128
_SHARE = 3  # all schemas of a request together may be so many times as large as one
_dumps = msgspec.json.Encoder().encode


class Tool(msgspec.Struct, frozen=True):
    """A function that the model may call."""

    name: str
    description: str
    parameters: dict[str, Any]  # JSON schema of its arguments, prepared for the grammar


class Plan(msgspec.Struct, frozen=True):
    """What the request wants of the answer's form."""

    tools: tuple[Tool, ...] = ()  # those that may be called
    choice: Literal["none", "auto", "forced"] = "none"
    parallel: bool = True  # more than one call in a reply is allowed
    schema: dict[str, Any] | None = None  # of the reply, when it must be JSON
    calm: bool = True  # nothing in the schemas is a burden on llama.cpp's own grammars

    @property
    def enforced(self) -> bool:
        """Whether the whole reply is one call, by grammar."""
        return self.choice == "forced"


def plan(request: dict[str, Any]) -> Plan:
    """Read tools, tool_choice, parallel_tool_calls and response_format. Errors name the member."""
    weight = Weight()
    tools = _tools(request.get("tools", []), weight)
    parallel = request.get("parallel_tool_calls", True)
    if not isinstance(parallel, bool):
        raise _wrong("parallel_tool_calls", "true or false is needed")
    schema = _response_format(request.get("response_format", {"type": "text"}), weight)
    if excess := weight.excess(_SHARE):
        raise schemas.refuse("tools", "all of them together", excess)
    if "tool_choice" in request and not tools:
        raise _wrong("tool_choice", "it is only allowed when tools are given")
    choice, allowed = _choice(request.get("tool_choice", "auto" if tools else "none"), tools)
    return Plan(tools=allowed, choice=choice, parallel=parallel, schema=schema, calm=weight.calm)


def _wrong(param: str, what: str) -> BadRequest:
    return BadRequest(
        f"Invalid value for {param!r}: {what}.", param=param, hint="see OpenAI's API reference for its form"
    )


def _tools(given: Any, weight: Weight) -> tuple[Tool, ...]:
    if not isinstance(given, list) or len(given) > _TOOLS_LIMIT:
        raise _wrong("tools", f"a list of at most {_TOOLS_LIMIT} tools is needed")
    tools: dict[str, Tool] = {}
    for index, tool in enumerate(given):
        at = f"tools[{index}]"
        if not isinstance(tool, dict) or not isinstance(tool.get("type"), str):
            raise _wrong(at, "an object with a type is needed")
        if tool["type"] != "function":
            raise Unsupported(
                f"Tools of type {tool['type']!r} are not supported.", param=at, hint="declare it as a function"
            )
        function = tool.get("function")
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str) or not _NAME.fullmatch(name):
            raise _wrong(f"{at}.function.name", "letters, digits, _ and - are needed, at most 64")
        if name in tools:
            raise _wrong(f"{at}.function.name", f"{name!r} stands twice")
        description = function.get("description") or ""
        if not isinstance(description, str):
            raise _wrong(f"{at}.function.description", "a string is needed")
        param = f"{at}.function.parameters"
        parameters = schemas.prepare(
            function.get("parameters") or {"type": "object", "properties": {}},
            param,
            strict=function.get("strict") is True,
            weight=weight,
        )
        if "type" not in parameters and "$ref" not in parameters:
            parameters = {"type": "object", **parameters}
        if parameters.get("type", "object") != "object":
            raise _wrong(param, "the arguments of a function form an object")
        tools[name] = Tool(name, description, parameters)
    return tuple(tools.values())


def _choice(given: Any, tools: tuple[Tool, ...]) -> tuple[Literal["none", "auto", "forced"], tuple[Tool, ...]]:
    if given in ("none", "auto"):
        return given, tools if given == "auto" else ()
    if given == "required":
        return "forced", tools
    if not isinstance(given, dict):
        raise _wrong("tool_choice", "none, auto, required or a named function is needed")
    if given.get("type") == "allowed_tools" and isinstance(given.get("allowed_tools"), dict):
        allowed = given["allowed_tools"]
        names = [_named(t) for t in allowed.get("tools") or ()]
        mode: Literal["auto", "forced"] = "forced" if allowed.get("mode") == "required" else "auto"
    else:
        names, mode = [_named(given)], "forced"
    known = {tool.name: tool for tool in tools}
    for name in names:
        if name not in known:
            raise _wrong("tool_choice", f"no tool is called {name!r}")
    return mode, tuple(known[name] for name in dict.fromkeys(names) if name is not None)


def _named(choice: Any) -> str | None:
    function = choice.get("function") if isinstance(choice, dict) and choice.get("type") == "function" else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else None


def _response_format(given: Any, weight: Weight) -> dict[str, Any] | None:
    kind = given.get("type") if isinstance(given, dict) else None
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "object"}
    inner = given.get("json_schema") if kind == "json_schema" else None
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str) or not _NAME.fullmatch(inner["name"]):
        raise _wrong("response_format", "text, json_object or a named json_schema is needed")
    schema = inner.get("schema") or {"type": "object"}
    param = "response_format.json_schema.schema"
    return schemas.prepare(schema, param, strict=inner.get("strict") is True, weight=weight)


def grammar_schema(wanted: Plan) -> dict[str, Any] | None:
    """The JSON schema that the reply is generated under, or None when it is free."""
    if wanted.choice == "none" or (wanted.choice == "auto" and wanted.schema is None):
        return wanted.schema
    roots: dict[str, Any] = {}
    options: list[dict[str, Any]] = []
    for index, tool in enumerate(wanted.tools):
        place = f"tool{index}"
        roots[place] = schemas.rooted(tool.parameters, f"#/$defs/{place}")
        options.append(
            {
                "type": "object",
                "properties": {"name": {"const": tool.name}, "arguments": {"$ref": f"#/$defs/{place}"}},
                "required": ["name", "arguments"],
                "additionalProperties": False,
            }
        )
    if wanted.choice == "auto" and wanted.schema is not None:
        roots["reply"] = schemas.rooted(wanted.schema, "#/$defs/reply")
        options.append({"$ref": "#/$defs/reply"})
    return {"$defs": roots, "anyOf": options}


def explain(wanted: Plan) -> str:
    """The system text that tells a model of its tools when its chat template cannot."""
    lines = [
        _dumps({"name": t.name, "description": t.description, "parameters": t.parameters}).decode()
        for t in wanted.tools
    ]
    how = (
        "Answer with exactly one call and nothing else, as a JSON object"
        if wanted.enforced
        else "When one helps, answer with the call alone, as a JSON object; otherwise answer in plain text. A call is"
    )
    return "You can call these functions:\n" + "\n".join(lines) + f'\n{how}: {{"name": "...", "arguments": {{...}}}}'


def retell(messages: list[dict[str, Any]], system: str) -> list[dict[str, Any]]:
    """Return the conversation for a chat template without tools: `system` in front, calls and results as plain text."""
    told: list[dict[str, Any]] = []
    names: dict[Any, str] = {}
    for message in messages:
        calls = message.get("tool_calls")
        if message.get("role") == "assistant" and calls:
            lines = []
            for call in calls:
                function = call.get("function") or {}
                names[call.get("id")] = str(function.get("name"))
                lines.append(f'{{"name": "{function.get("name")}", "arguments": {function.get("arguments") or "{}"}}}')
            spoken = plain(message.get("content"))
            told.append({"role": "assistant", "content": "\n".join(([spoken] if spoken else []) + lines)})
        elif message.get("role") == "tool":
            name = names.get(message.get("tool_call_id"), "the function")
            told.append({"role": "user", "content": f"Result of {name}: {plain(message.get('content'))}"})
        else:
            told.append(message)
    if not system:
        return told
    if told and told[0].get("role") in ("system", "developer"):
        return [{**told[0], "content": f"{plain(told[0].get('content'))}\n\n{system}"}, *told[1:]]
    return [{"role": "system", "content": system}, *told]


def plain(content: Any) -> str:
    """The text of a message's content, given as a string or in parts."""
    if isinstance(content, list):
        return "".join(p.get("text", "") for p in content if isinstance(p, dict) and isinstance(p.get("text"), str))
    return content if isinstance(content, str) else ""


def call_id() -> str:
    return "call_" + secrets.token_hex(12)
