"""What an engine child is told when it is started. Knows the numbers; refuses to choose them: see engines/fit.py."""

from __future__ import annotations

from typing import Literal

import msgspec


class ChildSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One child. Sent by the manager as one line of JSON on the child's standard input, for it holds the key."""

    name: str  # the model's public name; stands in replies
    path: str  # the GGUF file
    socket: str  # UNIX socket to serve on; made with mode 0600
    native_socket: str  # UNIX socket of llama.cpp's own listener, which cannot be turned off
    key: str  # bearer key that every request must carry
    mmproj: str = ""  # companion file for images; empty: the model does not see
    embedding: bool = False  # serve embeddings instead of text
    pooling: str = ""  # "mean", "cls", "last"; empty: as the file says
    slots: int = 1  # calls that run at once
    context: int = 4096  # tokens that one call may use, prompt and answer together
    batch: int = 64  # prompt tokens per step; a cancelled call stops within one step
    threads: int = 1  # compute threads
    cache_mib: int = 256  # host memory for cached prompts, MiB
    kv_type: Literal["f16", "q8_0"] = "q8_0"  # how keys and values are kept
    sleep_seconds: int = 600  # idle seconds after which the weights are given back; -1: never
    nice: int = 5  # added to the scheduling priority
    parent: int = 0  # process id of the manager; the child ends with it
    vocabulary: int = 0  # tokens in the vocabulary; 0: unknown
    tokens: dict[str, int] = {}  # special tokens: bos, fim_prefix, fim_suffix, fim_middle, ...
    add_bos: bool = True  # whether prompts begin with the bos token
    body_bytes: int = 64 << 20  # largest request
