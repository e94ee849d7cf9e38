"""The typed shape of OpenAI's requests (openai-openapi v2.3.0): types and ranges. Refuses to know what they are for.

Members that no field below names are legal here: a provider decides whether its vendor honours them. Most optional
members may be null, as OpenAI allows. Rules that span several members are in `openai_request`.
"""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]
Name = Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,64}$")]
Free = dict[str, Raw]
Count = Annotated[int, Meta(ge=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Bias = Annotated[float, Meta(ge=-100, le=100)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class Text(Struct, tag="text"):
    text: str


class ImageUrl(Struct):
    url: str
    detail: str | None = None


class Image(Struct, tag="image_url"):
    image_url: ImageUrl


class AudioData(Struct):
    data: str
    format: str


class Audio(Struct, tag="input_audio"):
    input_audio: AudioData


class FileData(Struct):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class File(Struct, tag="file"):
    file: FileData


class Refusal(Struct, tag="refusal"):
    refusal: str


Part = Text | Image | Audio | File | Refusal
Content = str | list[Part] | None


class CalledFunction(Struct):
    name: str
    arguments: str


class CalledCustom(Struct):
    name: str
    input: str


class ToolCall(Struct):
    id: str
    type: Literal["function", "custom"]
    function: CalledFunction | None = None
    custom: CalledCustom | None = None
    index: int | None = None


class HeardAudio(Struct):
    id: str


class Message(Struct):
    role: Role
    content: Content = None
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: CalledFunction | None = None
    refusal: str | None = None
    audio: HeardAudio | None = None
    reasoning_content: str | None = None


class OpaqueMessage(Struct, forbid_unknown_fields=True):
    """A message whose long members are not looked into; written again, it is as long as received if it was compact."""

    role: Role
    content: Raw | UnsetType = UNSET
    name: str | UnsetType = UNSET
    tool_call_id: str | UnsetType = UNSET
    tool_calls: Raw | UnsetType = UNSET


class OnlyText(Text, tag="text", forbid_unknown_fields=True):
    """This and the next: the same without members that nobody knows, so that their depth is known as well."""


class OnlyImageUrl(ImageUrl, forbid_unknown_fields=True):
    pass


class OnlyImage(Image, tag="image_url", forbid_unknown_fields=True):
    image_url: OnlyImageUrl


class OnlyAudioData(AudioData, forbid_unknown_fields=True):
    pass


class OnlyAudio(Audio, tag="input_audio", forbid_unknown_fields=True):
    input_audio: OnlyAudioData


class OnlyFileData(FileData, forbid_unknown_fields=True):
    pass


class OnlyFile(File, tag="file", forbid_unknown_fields=True):
    file: OnlyFileData


class OnlyRefusal(Refusal, tag="refusal", forbid_unknown_fields=True):
    pass


OnlyPart = OnlyText | OnlyImage | OnlyAudio | OnlyFile | OnlyRefusal


class OnlyCalledFunction(CalledFunction, forbid_unknown_fields=True):
    pass


class OnlyCalledCustom(CalledCustom, forbid_unknown_fields=True):
    pass


class OnlyToolCall(ToolCall, forbid_unknown_fields=True):
    function: OnlyCalledFunction | None = None
    custom: OnlyCalledCustom | None = None


class OnlyHeardAudio(HeardAudio, forbid_unknown_fields=True):
    pass


class OnlyMessage(Message, forbid_unknown_fields=True):
    content: str | list[OnlyPart] | None = None  # type: ignore[assignment]  # lists are invariant; nobody appends
    tool_calls: list[OnlyToolCall] | None = None  # type: ignore[assignment]
    function_call: OnlyCalledFunction | None = None
    audio: OnlyHeardAudio | None = None


class Function(Struct):
    name: Name
    description: str | None = None
    parameters: Free | None = None
    strict: bool | None = None


class Custom(Struct):
    name: Name


class Tool(Struct):
    type: Literal["function", "custom"]
    function: Function | None = None
    custom: Custom | None = None


class Named(Struct):
    name: str


class AllowedTools(Struct):
    mode: Literal["auto", "required"]
    tools: list[Free]


class ToolChoice(Struct):
    type: Literal["function", "custom", "allowed_tools"]
    function: Named | None = None
    custom: Named | None = None
    allowed_tools: AllowedTools | None = None


class Schema(Struct):
    name: Name
    schema: Free | None = None
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(Struct):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: Schema | None = None


class StreamOptions(Struct):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]],
    Meta(max_length=16),
]


class Sampling(Struct):
    """What chat and legacy completions share."""

    model: str | None = None
    stream: bool | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Meta(ge=0)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    metadata: Metadata | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    seed: Seed | None = None
    logit_bias: dict[str, Bias] | None = None


M = TypeVar("M")


class ChatOf(Sampling, Generic[M], kw_only=True):
    messages: Annotated[list[M], Meta(min_length=1)]
    tools: Annotated[list[Tool], Meta(max_length=128)] | None = None
    tool_choice: ToolChoice | str | None = None
    max_completion_tokens: Count | None = None
    response_format: ResponseFormat | None = None
    parallel_tool_calls: bool | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    functions: Annotated[list[Function], Meta(max_length=128)] | None = None
    function_call: Named | str | None = None
    modalities: list[str] | None = None
    service_tier: str | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    store: bool | None = None
    safety_identifier: Annotated[str, Meta(max_length=64)] | None = None


Chat = ChatOf[Message]
KnownChat = ChatOf[OnlyMessage]
OpaqueChat = ChatOf[OpaqueMessage]

Texts = str | Annotated[list[str | int | list[int]], Meta(min_length=1)]
"""One text, several, one token array or several; the list must be of one kind, which `openai_request` checks."""

P = TypeVar("P")


class CompletionOf(Sampling, Generic[P], kw_only=True):
    prompt: P
    suffix: str | None = None
    echo: bool | None = None
    best_of: Annotated[int, Meta(ge=0, le=20)] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None


Completion = CompletionOf[Texts]
OpaqueCompletion = CompletionOf[Raw]


class EmbeddingOf(Struct, Generic[P], kw_only=True):
    input: P
    model: str | None = None
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Count | None = None
    user: str | None = None


Embedding = EmbeddingOf[Texts]
OpaqueEmbedding = EmbeddingOf[Raw]
