"""POST /v1/chat/completions. Knows what OpenAI documents of it; refuses to know sockets."""

from __future__ import annotations

from typing import Any

from freehold.core.errors import BadRequest, FreeholdError, Unsupported
from freehold.engines import enforce
from freehold.engines.enforce_shape import shaper
from freehold.engines.llama import parameters
from freehold.engines.llama.generate import answer
from freehold.engines.llama.guide import grammar
from freehold.engines.llama.native import Native
from freehold.engines.llama.reply import Stream, Tally, Whole
from freehold.engines.llama.slots import Slots
from freehold.engines.schema import refuse
from freehold.wire.server import Exchange

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh"})


async def chat(native: Native, slots: Slots, exchange: Exchange, fingerprint: str) -> None:
    """Answer one request; every error goes out in OpenAI's form."""
    settings = native.settings
    request = parameters.read(exchange.body, parameters.CHAT)
    common = parameters.common(request, settings)
    plan = enforce.plan(request)
    top = _logprobs(request)
    body = common.native
    body["messages"] = _messages(request, native.caps.vision)
    _extras(request, body)
    if top is not None:
        body["logprobs"], body["top_logprobs"] = True, max(1, top)
    _form(body, plan, native, top is not None)
    await _hold(body, plan, native)
    output: Stream | Whole
    if common.stream:
        output = Stream(exchange, True, settings.name, fingerprint, common.include_usage)
    else:
        output = Whole(exchange, True, settings.name, fingerprint, top is not None)
    tally = Tally()
    sink = output if top is None else _Trimmed(output, top)
    try:
        await answer(
            native, slots, body, True, common.n, 0, lambda: shaper(plan, whole="stop" not in body), sink, tally
        )
    except FreeholdError as e:
        output.fail(e)
        return
    output.end(tally)


def _form(body: parameters.Body, plan: enforce.Plan, native: Native, logprobs: bool) -> None:
    """Tell the model what the plan needs: tools for the template, or in words."""
    wants_tools = plan.choice != "none"
    # llama.cpp refuses logprobs beside tools in a stream, so then the tools are told in words
    templated = native.caps.tools and not logprobs
    if wants_tools and templated:
        body["tools"] = [
            {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.parameters}}
            for t in plan.tools
        ]
        if plan.enforced or plan.schema is not None or not plan.calm:
            # The template still tells of them. Our grammar decides the form, or, where llama.cpp's own for these tools
            # would be a burden on everybody, the model does, and we read what it says
            body["tool_choice"] = "none"
        else:
            body["tool_choice"] = "auto"
            body["parallel_tool_calls"] = plan.parallel
    if not templated or not native.caps.tool_calls:
        system = enforce.explain(plan) if wants_tools and not templated else ""
        body["messages"] = enforce.retell(body["messages"], system)


async def _hold(body: parameters.Body, plan: enforce.Plan, native: Native) -> None:
    """Have the engine hold the reply to the plan's schema. BadRequest when it could not."""
    schema = enforce.grammar_schema(plan)
    if schema is None:
        return
    if plan.calm and (native.guide is None or native.caps.thinks):
        # llama.cpp's own way lets a model think before it answers
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema}}
        return
    param = "tools" if plan.enforced else "response_format.json_schema.schema"
    if native.guide is None:
        raise refuse(param, "#", "this build of the engine has no grammars for a schema of this size")
    text = grammar(schema)
    why = await native.check_grammar(text)
    if why:
        raise refuse(param, "#", why)
    body["grammar"] = text
    if native.caps.thinks:  # under this grammar there is no room to
        body["chat_template_kwargs"] = {**body.get("chat_template_kwargs", {}), "enable_thinking": False}


def _logprobs(request: parameters.Body) -> int | None:
    """How many alternatives to show for each token; None when logprobs are not wanted."""
    if not parameters.flag(request, "logprobs"):
        if "top_logprobs" in request:
            raise parameters.wrong("top_logprobs", "it is only allowed with logprobs: true")
        return None
    return parameters.whole(request, "top_logprobs", 0, 20, 0)


def _extras(request: parameters.Body, body: parameters.Body) -> None:
    if request.get("modalities", ["text"]) != ["text"]:
        raise Unsupported("Only text can be generated.", param="modalities", hint='leave it out or send ["text"]')
    if request.get("service_tier", "auto") not in ("auto", "default"):
        raise Unsupported("There is one service tier.", param="service_tier", hint="leave it out")
    if parameters.flag(request, "store"):
        raise Unsupported("Replies are not stored here.", param="store", hint="leave it out")
    if "reasoning_effort" in request:
        if request["reasoning_effort"] not in _EFFORTS:
            raise parameters.wrong("reasoning_effort", f"one of {', '.join(sorted(_EFFORTS))} is needed")
        body["reasoning_effort"] = request["reasoning_effort"]
    if "chat_template_kwargs" in request:
        if not isinstance(request["chat_template_kwargs"], dict):
            raise parameters.wrong("chat_template_kwargs", "an object is needed")
        body["chat_template_kwargs"] = request["chat_template_kwargs"]


def _messages(request: parameters.Body, vision: bool) -> list[dict[str, Any]]:
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        raise parameters.wrong("messages", "a non-empty list is needed")
    for index, message in enumerate(messages):
        at = f"messages[{index}]"
        if not isinstance(message, dict):
            raise parameters.wrong(at, "an object is needed")
        role = message.get("role")
        if role not in _ROLES:
            raise parameters.wrong(f"{at}.role", f"one of {', '.join(sorted(_ROLES))} is needed")
        content = message.get("content")
        if content is None and not (role == "assistant" and (message.get("tool_calls") or message.get("refusal"))):
            raise parameters.wrong(f"{at}.content", "a string or a list of parts is needed")
        if isinstance(content, list):
            for number, part in enumerate(content):
                _part(part, f"{at}.content[{number}]", vision)
        elif content is not None and not isinstance(content, str):
            raise parameters.wrong(f"{at}.content", "a string or a list of parts is needed")
        if role == "tool" and not isinstance(message.get("tool_call_id"), str):
            raise parameters.wrong(f"{at}.tool_call_id", "a string is needed")
    return messages


def _part(part: Any, at: str, vision: bool) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return
    if kind == "image_url":
        if not vision:
            raise Unsupported("This model takes no images.", param=at, hint="ask a model that sees")
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, dict) else None
        if not isinstance(url, str) or not url.startswith("data:image/"):
            # llama.cpp would fetch an address or open a file by itself: nobody is to reach out from here
            raise BadRequest("Images are taken as data: URLs only.", param=at, hint="send the image itself, in base64")
        return
    if kind in ("input_audio", "file", "input_video", "video_url"):
        raise Unsupported(f"This model takes no parts of type {kind!r}.", param=at, hint="send text")
    raise parameters.wrong(at, "a part of type text or image_url is needed")


class _Trimmed:
    """Shows as many alternatives as were asked for, and no ids: llama.cpp gives both in its own measure."""

    def __init__(self, output: Stream | Whole, top: int) -> None:
        self._output, self._top = output, top
        self.text, self.flush = output.text, output.flush

    def delta(self, index: int, delta: dict[str, Any], logprobs: Any = None, finish: str | None = None) -> None:
        if logprobs is not None:
            logprobs = [self._one(entry) for entry in logprobs]
        self._output.delta(index, delta, logprobs, finish)

    def _one(self, entry: dict[str, Any]) -> dict[str, Any]:
        shown = [_probability(e) for e in entry.get("top_logprobs", ())[: self._top]]
        return {**_probability(entry), "top_logprobs": shown}


def _probability(entry: dict[str, Any]) -> dict[str, Any]:
    logprob = entry.get("logprob")
    return {
        "token": entry.get("token", ""),
        "logprob": logprob if logprob is not None else -9999.0,
        "bytes": entry.get("bytes"),
    }
