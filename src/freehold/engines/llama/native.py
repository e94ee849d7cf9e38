"""xllamacpp behind one face: load, generate, embed. Knows its bugs and its three ways to fail; refuses to know HTTP.

Calls run in threads, because they block; pieces of the answer are handed to the event loop in batches.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from freehold.core.clock import tick
from freehold.core.errors import BadRequest, ContextTooLong, EngineError, FreeholdError, Unsupported
from freehold.engines.llama.guide import Guide
from freehold.engines.llama.settings import ChildSettings
from freehold.engines.llama.slots import Reading

_THOUGHTS = ("<think>", "<|channel|>", "[THINK]")  # what a template says of a model that thinks aloud
_NUDGE_SECONDS = 3.0  # silence at the start of a call after which the engine is woken once more


class Caps(msgspec.Struct, frozen=True):
    """What the loaded model's chat template can express, and what it perceives."""

    tools: bool = False  # describes tools to the model
    tool_calls: bool = False  # repeats earlier tool calls to the model
    vision: bool = False
    thinks: bool = False  # may think aloud before it answers


class _TemplateCaps(msgspec.Struct):
    supports_tools: bool = False
    supports_tool_calls: bool = False


class _Modalities(msgspec.Struct):
    vision: bool = False


class _Props(msgspec.Struct):
    chat_template: str = ""
    chat_template_caps: _TemplateCaps = msgspec.field(default_factory=_TemplateCaps)
    modalities: _Modalities = msgspec.field(default_factory=_Modalities)
    is_sleeping: bool = False


class Failure(msgspec.Struct):
    message: str = ""
    type: str = ""
    code: int | str | None = None
    n_prompt_tokens: int = 0
    n_ctx: int = 0


class _Failed(msgspec.Struct):
    error: Failure | None = None


_failed = msgspec.json.Decoder(_Failed)
_props = msgspec.json.Decoder(_Props)


def as_error(failure: object) -> FreeholdError:
    """Return what llama.cpp reported, as an object, an exception or bytes of JSON, as one of our errors."""
    if isinstance(failure, FreeholdError):
        return failure
    if isinstance(failure, bytes | bytearray):
        try:
            found = _failed.decode(failure).error
        except msgspec.DecodeError:
            found = None
        failure = found or Failure(message=bytes(failure[:200]).decode("utf-8", "replace"), code=500)
    if isinstance(failure, Failure):
        if failure.type == "exceed_context_size_error":
            return _too_long(failure.n_prompt_tokens, failure.n_ctx)
        large = _TOO_LARGE.search(failure.message)
        if large is not None:
            return _too_long(int(large[1]), int(large[2]))
        if failure.code == 400 or failure.type == "invalid_request_error":
            return _refusal(failure.message)
        if failure.code == 501 or failure.type == "not_supported_error":
            return Unsupported(failure.message, hint="ask a model that can do this")
        return EngineError(f"The engine failed: {failure.message}", status=500, hint="ask again; see the engine's log")
    if isinstance(failure, ValueError | RuntimeError):
        return _refusal(str(failure))
    return EngineError(f"The engine failed: {failure}", status=500, hint="see the engine's log")


# What an encoder says of an input beyond its one step; its status is 500
_TOO_LARGE = re.compile(r"input \((\d+) tokens\) is too large to process.*batch size: (\d+)", re.DOTALL)


def _too_long(given: int, limit: int) -> ContextTooLong:
    return ContextTooLong(
        f"This model's maximum context length is {limit} tokens. However, your prompt has {given} tokens.",
        hint="shorten the prompt, or serve the model with a longer context",
    )


def _refusal(message: str) -> FreeholdError:
    """llama.cpp says 400 by status and by ValueError or RuntimeError alike; the text tells the causes apart."""
    low = message.lower()
    if "input is not supported" in low or "mmproj" in low:
        return Unsupported(
            "This model takes no images, audio or video.", param="messages", hint="ask a model that sees"
        )
    if "unsupported param" in low:
        return Unsupported(message, param=message.rpartition(":")[2].strip() or None, hint="leave the parameter out")
    if "too large" in low and "context" in low:
        return ContextTooLong(message, hint="shorten the input")
    return BadRequest(message or "The engine refused the request.", hint="correct the request as the message says")


class Run:
    """One native call in progress. `feed` receives batches of JSON objects in the loop; `wait` ends with the call."""

    __slots__ = (
        "_feed",
        "_inbox",
        "_loop",
        "_scheduled",
        "began",
        "cancelled",
        "error",
        "finished",
        "native",
        "on_read",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, native: Native, feed: Callable[[list[bytes]], None]) -> None:
        self._loop, self.native, self._feed = loop, native, feed
        self._inbox: list[bytes] = []
        self._scheduled = False
        self.began = self.cancelled = False
        self.error: BaseException | None = None
        self.finished: asyncio.Future[None] = loop.create_future()
        self.on_read: Callable[[], None] | None = None  # called once, when the prompt is read or never will be

    def read(self) -> None:
        """Note that the engine has read the prompt."""
        told, self.on_read = self.on_read, None
        if told is not None:
            told()

    def receive(self, data: bytes) -> bool:
        """The callback, in the worker thread. True stops the call. Must not raise: llama.cpp would swallow it."""
        native = self.native
        native.beats += 1
        if self.cancelled:
            return True
        self.began = True
        self._inbox.append(data)
        if not self._scheduled:
            self._scheduled = True
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:  # the loop is closed: the child is ending
                return True
        return False

    def _drain(self) -> None:
        self._scheduled = False
        batch, self._inbox = self._inbox, []
        if not batch or self.cancelled:
            return
        if self.on_read is not None and any(b'"prompt_progress"' not in data and data != b"null" for data in batch):
            self.read()
        try:
            self._feed(batch)
        except Exception as e:
            self.error = e
            self.cancelled = True

    def end(self, error: BaseException | None) -> None:
        """In the loop, after the thread has returned."""
        self._drain()
        if self.error is None:
            self.error = error
        if not self.finished.done():
            self.finished.set_result(None)


class Native:
    """The loaded model. `beats` counts signs of life (tokens and prompt steps), `busy` the calls in native code."""

    def __init__(self, settings: ChildSettings) -> None:
        self.settings = settings
        self.beats = 0
        self.busy = 0
        self.quiet_since = tick()
        self._server: Any = None
        # Two more threads than slots: one for a probe, one to wake the engine.
        self._pool = ThreadPoolExecutor(settings.slots + 2, "llama")
        self.caps = Caps()
        self.guide: Guide | None = None
        self._reading = Reading(settings.batch)

    def load(self) -> None:
        """Load the weights; blocks, and holds the interpreter's lock all the while. EngineError when it cannot."""
        try:
            self._server = _open(self.settings, self.settings.kv_type)
        except RuntimeError as first:
            if self.settings.kv_type == "f16":
                raise _not_loaded(self.settings, first) from first
            # Some architectures have no flash attention, without which values cannot be kept in 8 bits.
            try:
                self._server = _open(self.settings, "f16")
            except RuntimeError as second:
                raise _not_loaded(self.settings, second) from second
        props = self._props()
        self.caps = Caps(
            tools=props.chat_template_caps.supports_tools,
            tool_calls=props.chat_template_caps.supports_tool_calls,
            vision=props.modalities.vision and bool(self.settings.mmproj),
            thinks=any(mark in props.chat_template for mark in _THOUGHTS),
        )
        if not self.settings.embedding:
            self.guide = _guide()
        self.quiet_since = tick()

    @property
    def unread(self) -> int:
        """Calls that have a slot and wait for the prompt of another to be read."""
        return self._reading.waiting

    async def check_grammar(self, text: str) -> str:
        """Why the engine could not hold replies to a grammar; "" when it can."""
        assert self.guide is not None  # who makes such grammars has looked
        return await asyncio.to_thread(self.guide.refusal, text)

    def asleep(self) -> bool:
        """Whether the weights were given back for idleness, as the engine itself says. Does not wake it."""
        idle = tick() - self.quiet_since
        if self.busy or self.settings.sleep_seconds < 0 or idle < self.settings.sleep_seconds:
            return False
        try:
            return self._props().is_sleeping
        except OSError:
            return False

    def _props(self) -> _Props:
        """Ask llama.cpp's own listener: what it says there has no in-process call."""
        connection = _Unix(self.settings.native_socket)
        try:
            connection.request("GET", "/props", headers={"authorization": f"Bearer {self.settings.key}"})
            return _props.decode(connection.getresponse().read())
        except (http.client.HTTPException, msgspec.DecodeError) as e:
            raise OSError(f"the engine's own listener does not answer as expected: {e}") from e
        finally:
            connection.close()

    async def generate(self, chat: bool, body: bytes, feed: Callable[[list[bytes]], None], length: int = 0) -> None:
        """Run one streamed call to its end; `feed` gets the JSON objects it emits, in batches, in the loop.

        `length` is about how many characters the prompt has: the engine reads one long prompt at a time, for each of
        those that it reads at once must be told on its own, step by step, to stop. Raises what `as_error` makes of a
        failure. When the awaiting task is cancelled the engine is told to stop, and the cancellation goes through only
        when the slot is free: within one token, or one prompt step.
        """
        loop = asyncio.get_running_loop()
        await self._reading.begin(length)
        run = Run(loop, self, feed)
        run.on_read = lambda: self._reading.end(length)
        handle = self._server.handle_chat_completions if chat else self._server.handle_completions

        def work() -> None:
            error: BaseException | None = None
            try:
                handle(body, run.receive)
            except BaseException as e:
                error = e
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(run.end, error)

        self.busy += 1
        self._pool.submit(work)
        nudge = loop.call_later(_NUDGE_SECONDS, self._nudge, run)
        try:
            await asyncio.shield(run.finished)
        except asyncio.CancelledError:
            run.cancelled = True
            while not run.finished.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.shield(run.finished)
            raise
        finally:
            run.read()
            nudge.cancel()
            self.busy -= 1
            self.quiet_since = tick()
        if run.error is not None:
            raise as_error(run.error) from run.error

    def _nudge(self, run: Run) -> None:
        """Wake an engine that fell asleep in the very moment a call was posted: it would not look at it otherwise."""
        if run.began or run.finished.done():
            return
        body = msgspec.json.encode(
            {"prompt": [self.any_token()], "n_predict": 1, "stream": True, "cache_prompt": False}
        )
        if self.settings.embedding:
            self._pool.submit(self._server.handle_embeddings, msgspec.json.encode({"input": [self.any_token()]}))
        else:
            self._pool.submit(self._server.handle_completions, body, lambda data: False)

    async def embed(self, inputs: list[Any]) -> bytes:
        """Embed a few inputs (texts or lists of tokens) in one native call, which cannot be stopped midway."""
        body = msgspec.json.encode({"input": inputs, "encoding_format": "base64"})
        self.busy += 1
        try:
            future = asyncio.get_running_loop().run_in_executor(self._pool, self._server.handle_embeddings, body)
            try:
                reply: bytes = await asyncio.shield(future)
            except asyncio.CancelledError:
                with contextlib.suppress(Exception, asyncio.CancelledError):
                    await future
                raise
            except Exception as e:
                raise as_error(e) from e
        finally:
            self.busy -= 1
            self.quiet_since = tick()
            self.beats += 1
        if b'"error"' in reply[:64]:
            raise as_error(reply)
        return reply

    def any_token(self) -> int:
        """A token that every prompt may consist of."""
        tokens = self.settings.tokens
        return tokens.get("bos", tokens.get("cls", tokens.get("eos", 1)))


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("engine", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(5)
        self.sock.connect(self._path)


def _not_loaded(settings: ChildSettings, cause: Exception) -> EngineError:
    return EngineError(
        f"llama.cpp could not load {settings.path}: {cause}",
        code="engine_load_failed",
        retryable=False,
        hint="the engine's log says more; the file's architecture may be newer than the installed xllamacpp",
    )


def _open(settings: ChildSettings, kv_type: str) -> Any:
    """Make the native server with every default that we rely on set by hand."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings.path
    params.model_alias = {settings.name}
    params.n_ctx = settings.context * settings.slots
    params.n_parallel = settings.slots
    params.kv_unified = False  # each slot owns its context: a call can use all of it, whatever the others do
    params.n_batch = params.n_ubatch = settings.context if settings.embedding else settings.batch
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.threads
    params.cache_ram_mib = settings.cache_mib
    params.n_cache_reuse = 0
    params.ctx_shift = False
    params.prefill_assistant = False
    params.sleep_idle_seconds = settings.sleep_seconds
    params.fit_params = False  # our own fit has chosen; its own would lower what we announce
    params.endpoint_slots = params.ui = False
    params.hostnames = [settings.native_socket]
    params.api_keys = [settings.key]
    params.n_threads_http = 1
    params.cors_origins = ""
    params.sse_ping_interval = -1
    params.verbosity = 1
    params.offline = True
    kind = xllamacpp.ggml_type.GGML_TYPE_Q8_0 if kv_type == "q8_0" else xllamacpp.ggml_type.GGML_TYPE_F16
    params.cache_type_k = params.cache_type_v = kind
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_AUTO
    if settings.mmproj:
        params.mmproj.path = settings.mmproj
    if settings.embedding:
        params.embedding = True
        if settings.pooling:
            params.pooling_type = getattr(
                xllamacpp.llama_pooling_type, f"LLAMA_POOLING_TYPE_{settings.pooling.upper()}"
            )
    return xllamacpp.Server(params)


def _guide() -> Guide | None:
    """The second grammar engine; None when this build of xllamacpp has none."""
    import xllamacpp

    for library in Path(xllamacpp.__file__).parent.glob("xllamacpp*.so"):
        with contextlib.suppress(OSError):
            return Guide(library)
    return None


def resident_bytes() -> int:
    """Memory that this process holds, bytes; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
