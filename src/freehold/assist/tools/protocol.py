"""The Model Context Protocol as bytes: messages, revisions, lists of tools, results in words. Pure; refuses to know how
bytes travel. Source: the specification at modelcontextprotocol.io, revisions 2024-11-05 to 2026-07-28."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from freehold import __version__
from freehold.assist.tools.offers import Result
from freehold.core.errors import UpstreamBroken

REVISIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Revisions that are agreed on by `initialize`, newest first."""
STATELESS = "2026-07-28"
"""The revision without a handshake: each request says by itself what a session agreed on before."""

METHOD_NOT_FOUND, UNSUPPORTED_REVISION = -32601, -32022
TOOLS, PAGES = 512, 50
"""So many tools and pages of tools are read from one server."""
_NAME_CHARS, _DESCRIPTION_CHARS, _SCHEMA_BYTES = 256, 4096, 65_536
HINT = "The server of tools is at fault; look at its log."
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

CLIENT = {"name": "freehold", "version": __version__}
_encode = msgspec.json.Encoder().encode


class Failure(msgspec.Struct):
    """An error as the other side states it."""

    code: int = 0
    message: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class Message(msgspec.Struct):
    """One message: a request (`method` and `id`), a notification (`method`) or a response (`id`)."""

    id: int | str | None = None
    method: str | None = None
    params: msgspec.Raw = msgspec.Raw(b"null")
    result: msgspec.Raw = msgspec.Raw(b"")
    error: Failure | None = None


class Tool(msgspec.Struct, frozen=True):
    """A tool as its server describes it."""

    name: str
    title: str
    description: str
    schema: dict[str, Any]


class _Annotations(msgspec.Struct):
    title: str | None = None


class _Tool(msgspec.Struct, rename="camel"):
    name: str
    title: str | None = None
    description: str | None = None
    input_schema: msgspec.Raw = msgspec.Raw(b"{}")
    annotations: _Annotations | None = None


class _Page(msgspec.Struct, rename="camel"):
    tools: list[msgspec.Raw]
    next_cursor: str | None = None


class Greeting(msgspec.Struct, rename="camel"):
    """The answer to `initialize`."""

    protocol_version: str


class Discovery(msgspec.Struct, rename="camel"):
    """The answer to `server/discover`."""

    supported_versions: list[str]


class Supported(msgspec.Struct):
    """What goes along with the error for a revision that is not spoken."""

    supported: list[str] = []


class _Resource(msgspec.Struct, rename="camel"):
    uri: str = ""
    mime_type: str | None = None
    text: str | None = None
    blob: str | None = None


class _Block(msgspec.Struct, rename="camel"):
    type: str
    text: str = ""
    data: str = ""
    mime_type: str | None = None
    uri: str = ""
    name: str = ""
    description: str | None = None
    resource: _Resource | None = None


class _Outcome(msgspec.Struct, rename="camel"):
    content: list[_Block] = []
    structured_content: msgspec.Raw = msgspec.Raw(b"null")
    is_error: bool = False
    result_type: str = "complete"


def read(data: bytes) -> list[Message]:
    """Return the messages in `data`: one, or a batch as 2025-03-26 has them. UpstreamBroken when it is neither."""
    try:
        if data.lstrip()[:1] == b"[":
            return msgspec.json.decode(data, type=list[Message])
        return [msgspec.json.decode(data, type=Message)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise UpstreamBroken(f"the server sent what is no message of the protocol: {e}", hint=HINT) from e


def convert(result: msgspec.Raw, form: Any, what: str) -> Any:
    """Return a result as `form`; UpstreamBroken when it is something else."""
    try:
        return msgspec.json.decode(result, type=form)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise UpstreamBroken(f"the server's answer to {what} is not of the protocol's form: {e}", hint=HINT) from e


def request(number: int, method: str, params: dict[str, Any]) -> bytes:
    """Return a request, on one line."""
    return _encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


def notice(method: str, params: dict[str, Any] | None = None) -> bytes:
    """Return a notification, on one line."""
    return _encode({"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})})


def reply(message: Message) -> bytes:
    """Return our answer to a request of the server: a ping is answered; what we did not offer is declined."""
    if message.method == "ping":
        return _encode({"jsonrpc": "2.0", "id": message.id, "result": {}})
    error = {"code": METHOD_NOT_FOUND, "message": "This client offers no sampling, roots or elicitation."}
    return _encode({"jsonrpc": "2.0", "id": message.id, "error": error})


def enveloped(params: dict[str, Any]) -> dict[str, Any]:
    """Return `params` with what a request of the revision without handshake says of its sender."""
    about = {"protocolVersion": STATELESS, "clientInfo": CLIENT, "clientCapabilities": {}}
    return {**params, "_meta": {f"io.modelcontextprotocol/{name}": value for name, value in about.items()}}


def page(result: msgspec.Raw) -> tuple[list[Tool], str | None, int]:
    """Return the tools of one page, the cursor of the next, and how many were no good and are left out."""
    found = convert(result, _Page, "tools/list")
    tools: list[Tool] = []
    for raw in found.tools:
        tool = _tool(raw)
        if tool is not None:
            tools.append(tool)
    return tools, found.next_cursor, len(found.tools) - len(tools)


def _tool(raw: msgspec.Raw) -> Tool | None:
    try:
        said = msgspec.json.decode(raw, type=_Tool)
        if not said.name or len(said.name) > _NAME_CHARS or len(said.input_schema) > _SCHEMA_BYTES:
            return None
        schema = msgspec.json.decode(said.input_schema, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    # Vendors of models ask for an object with properties, whatever the server left out.
    schema = {"type": "object", "properties": {}, **schema}
    title = said.title or (said.annotations.title if said.annotations else None) or said.name
    description = clean(said.description or "")[:_DESCRIPTION_CHARS]
    return Tool(said.name, clean(title)[:_NAME_CHARS], description, schema)


def clean(text: str) -> str:
    """Return `text` without characters that no store and no page has a use for."""
    return _CONTROL.sub("", text)


def words(result: msgspec.Raw, bound: int) -> Result:
    """Return the outcome of a use in words of at most `bound` bytes and a note where it was cut."""
    said = convert(result, _Outcome, "tools/call")
    if said.result_type == "input_required":
        return Result("The tool asks its user for more, which is not offered here.", True)
    pieces = [_block(block) for block in said.content]
    text = "\n\n".join(piece for piece in pieces if piece)
    if not any(block.type == "text" and block.text for block in said.content):
        structured = bytes(said.structured_content)
        if structured != b"null":
            text = "\n\n".join(filter(None, (text, structured.decode("utf-8", "replace"))))
    return Result(cut(clean(text), bound) or "(The tool answered nothing.)", said.is_error)


def cut(text: str, bound: int) -> str:
    """Return `text` as it is, or its beginning and a note of what is missing. `bound` in bytes of UTF-8."""
    whole = text.encode("utf-8", "replace")
    if len(whole) <= bound:
        return whole.decode()
    kept = whole[:bound].decode("utf-8", "ignore")
    return f"{kept}\n\n[The result was cut here: {bound} of {len(whole)} bytes are shown.]"


def _block(block: _Block) -> str:
    if block.type == "text":
        return block.text
    if block.type in ("image", "audio"):
        size = len(block.data) * 3 // 4
        kind = "An image" if block.type == "image" else "A recording"
        return f"[{kind}, {block.mime_type or 'of unknown form'}, {size} bytes: it is not handed on.]"
    if block.type == "resource_link":
        about = f": {block.description}" if block.description else ""
        return f"[Resource {block.name or block.uri}, {block.uri}{about}]"
    if block.type == "resource" and block.resource is not None:
        resource = block.resource
        if resource.text is not None:
            return f"[Resource {resource.uri}]\n{resource.text}"
        return f"[Resource {resource.uri}, {resource.mime_type or 'of unknown form'}: it is not text.]"
    return f"[Content of the kind {block.type[:40]!r}, which is not known here.]"
