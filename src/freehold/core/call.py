"""The request in canonical form, and what is counted of it. Refuses to know HTTP and any vendor."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["chat", "completion", "embedding", "moderation"]
Purpose = Literal["serve", "hedge", "shadow", "judge", "moderate", "embed", "drill", "probe"]

TOOLS, VISION, JSON_SCHEMA, JSON_OBJECT, LOGPROBS, SUFFIX, DIMENSIONS, STREAM = (
    "tools",
    "vision",
    "json_schema",
    "json_object",
    "logprobs",
    "suffix",
    "dimensions",
    "stream",
)
"""Names of capabilities; a deployment declares a frozenset of them and of kinds, a Call states what it needs."""


class Usage(msgspec.Struct, frozen=True):
    """Tokens as the vendor states them. `cached` is the part of `input` read from a cache, `reasoning` the part of
    `output` that was not shown. `estimated` is true when we counted because the vendor said nothing."""

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    estimated: bool = False


class Call(msgspec.Struct):
    """One request. `fields` holds the top-level members of the body as received, byte for byte.

    `asked` is the public model name, `choices` the number of answers per prompt, `max_output` the caller's own bound on
    output tokens, `include_usage` whether the caller wants the usage event of a stream, `needs` the capabilities
    without which the call cannot be honoured, `session` what keeps a conversation on one arm, `private` that its texts
    must not be kept, whatever the policy on bodies says. `data_class` is the class of its words as the client declares
    it, or what the house takes them for; `use` what the answer is for when it is to train a model (train,
    train_competing); `function` the business function that asks, once known.
    """

    id: str
    dialect: str
    kind: Kind
    asked: str
    fields: dict[str, msgspec.Raw]
    size: int
    stream: bool = False
    include_usage: bool = False
    choices: int = 1
    max_output: int | None = None
    needs: frozenset[str] = frozenset()
    user: str | None = None
    session: str | None = None
    purpose: Purpose = "serve"
    private: bool = False
    data_class: str = ""
    use: str = ""
    function: str = ""
