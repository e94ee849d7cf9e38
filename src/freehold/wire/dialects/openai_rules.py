"""The rules of OpenAI's requests that span several members; types and ranges are in `openai_schema`."""

from __future__ import annotations

from typing import Any, NoReturn

from freehold.core.errors import BadRequest
from freehold.wire.dialects.openai_schema import Chat, Completion, Image, Message, ToolChoice

CODES = (
    "missing_required_parameter",
    "invalid_type",
    "invalid_value",
    "invalid_json",
    "duplicate_key",
    "json_too_deep",
)
"""Codes of the refusals of this dialect, beside those of the classes in core/errors.py."""

MAX_INPUTS = 2048
_HINT = "See the API reference of this endpoint for what the parameter may be."


def refuse(code: str, param: str | None, message: str, hint: str = _HINT) -> NoReturn:
    """Raise BadRequest with a code of `CODES`."""
    raise BadRequest(message, code=code, param=param, hint=hint)


def check_message(message: Message, index: int) -> None:
    """Judge what a message of its role must have. `index` is its place in the conversation, for the error."""
    role = message.role
    content = message.content
    if content is None:
        # An assistant may have said nothing but calls; all others must say something.
        if role == "assistant":
            if message.tool_calls or message.function_call or message.refusal or message.audio:
                return _check_calls(message, index) if message.tool_calls else None
            where = f"messages[{index}].content"
            refuse("missing_required_parameter", where, f"'{where}' may be null only beside tool calls or a refusal.")
        if role == "function":
            return None
        where = f"messages[{index}].content"
        refuse("missing_required_parameter", where, f"'{where}' must be a string or a list of content parts.")
    if content.__class__ is list and not content:
        where = f"messages[{index}].content"
        refuse("invalid_value", where, f"'{where}' must not be an empty list.")
    if role == "tool" and not message.tool_call_id:
        where = f"messages[{index}].tool_call_id"
        refuse("missing_required_parameter", where, f"Missing required parameter: '{where}'.")
    if message.tool_calls:
        _check_calls(message, index)
    return None


def _check_calls(message: Message, index: int) -> None:
    for place, call in enumerate(message.tool_calls or ()):
        if (call.function if call.type == "function" else call.custom) is None:
            where = f"messages[{index}].tool_calls[{place}].{call.type}"
            refuse("missing_required_parameter", where, f"Missing required parameter: '{where}'.")


def check_chat(chat: Chat) -> None:
    """Judge what the members of a chat request demand of one another, messages apart."""
    if chat.max_tokens is not None:
        if chat.max_tokens < 1:
            refuse("invalid_value", "max_tokens", "Invalid 'max_tokens': integer below minimum value of 1.")
        if chat.max_completion_tokens is not None:
            refuse(
                "invalid_value",
                "max_tokens",
                "'max_tokens' and 'max_completion_tokens' cannot both be set.",
                "Send max_completion_tokens alone.",
            )
    if chat.stream_options is not None:
        _check_stream_options(chat)
    if chat.top_logprobs and not chat.logprobs:
        refuse("invalid_value", "top_logprobs", "'top_logprobs' is only allowed when 'logprobs' is true.")
    if chat.response_format is not None:
        form = chat.response_format
        if form.type == "json_schema" and form.json_schema is None:
            where = "response_format.json_schema"
            refuse("missing_required_parameter", where, f"Missing required parameter: '{where}'.")
    if chat.tools is not None or chat.tool_choice is not None or chat.parallel_tool_calls is not None:
        _check_tools(chat)


def _check_tools(chat: Chat) -> None:
    names: set[str] = set()
    for place, tool in enumerate(chat.tools or ()):
        known = tool.function if tool.type == "function" else tool.custom
        if known is None:
            where = f"tools[{place}].{tool.type}"
            refuse("missing_required_parameter", where, f"Missing required parameter: '{where}'.")
        names.add(known.name)
    choice = chat.tool_choice
    if choice is None:
        if chat.parallel_tool_calls is not None and not names:
            refuse("invalid_value", "parallel_tool_calls", "'parallel_tool_calls' needs 'tools'.")
        return
    if isinstance(choice, str) and choice not in ("none", "auto", "required"):
        what = f"Invalid 'tool_choice': '{choice}'. Use 'none', 'auto', 'required' or name a tool."
        refuse("invalid_value", "tool_choice", what)
    if not names:
        # `none` and `auto` ask for nothing that an absent tool could not give, yet the service refuses them too.
        refuse("invalid_value", "tool_choice", "'tool_choice' is only allowed when 'tools' are given.")
    if isinstance(choice, ToolChoice):
        _check_choice(choice, names)


def _check_choice(choice: ToolChoice, names: set[str]) -> None:
    chosen = getattr(choice, choice.type)
    if chosen is None:
        where = f"tool_choice.{choice.type}"
        refuse("missing_required_parameter", where, f"Missing required parameter: '{where}'.")
    if choice.type != "allowed_tools" and chosen.name not in names:
        where = f"tool_choice.{choice.type}.name"
        what = f"Invalid '{where}': no tool is called '{chosen.name}'."
        refuse("invalid_value", where, what, "Name one of the tools.")


def _check_stream_options(request: Chat | Completion) -> None:
    if not request.stream:
        refuse("invalid_value", "stream_options", "'stream_options' is only allowed when 'stream' is true.")


def check_completion(completion: Completion) -> None:
    """Judge what the members of a legacy completion demand of one another, the prompt apart."""
    if completion.stream_options is not None:
        _check_stream_options(completion)
    if completion.best_of is not None:
        if completion.best_of < (completion.n or 1):
            refuse("invalid_value", "best_of", "'best_of' must be at least 'n'.")
        if completion.stream and completion.best_of > 1:
            refuse("invalid_value", "best_of", "'best_of' cannot be streamed.")


def check_texts(texts: Any, param: str, *, empty: bool, most: int | None = None) -> None:
    """Judge a prompt or input: a text, texts, a token array or token arrays, of one kind; `empty` texts may pass."""
    if isinstance(texts, str):
        if not texts and not empty:
            refuse("invalid_value", param, f"'{param}' must not be an empty string.")
        return
    if most is not None and len(texts) > most:
        refuse(
            "invalid_value", param, f"'{param}' may have at most {most} elements.", "Split it over several requests."
        )
    kinds = set(map(type, texts))
    if len(kinds) != 1:
        refuse("invalid_type", param, f"'{param}' must be a list of strings, of tokens, or of token arrays, not mixed.")
    kind = kinds.pop()
    if (kind is int and min(texts) < 0) or (kind is list and any(tokens and min(tokens) < 0 for tokens in texts)):
        refuse("invalid_value", param, f"'{param}' holds a negative token.")
    if (kind is list and not all(texts)) or (kind is str and not empty and not all(texts)):
        refuse("invalid_value", param, f"'{param}' must not hold an empty element.")


def has_image(messages: list[Any]) -> bool:
    """Return whether any message shows an image."""
    for message in messages:
        content = message.content
        if content.__class__ is list and any(isinstance(part, Image) for part in content):
            return True
    return False
