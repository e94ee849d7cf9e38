"""How a model is set up on a machine: threads, slots, context, memory. Pure but for `measure`; starts nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from freehold.engines.gguf import Facts

_BASE = 96 << 20  # interpreter, native library and its buffers
_CACHE_MOST, _CACHE_LEAST = 256, 16  # MiB of cached prompts
_CACHE_SHARE = 20  # of the budget, 1/20 goes to cached prompts
_CONTEXT_LEAST = 1024  # tokens; a shorter context is of no use to anybody, so we say that it does not fit
_BATCH = 64  # tokens per prompt step: a cancelled call stops within one; larger steps were measured to gain nothing
_SLOTS = (8, 4, 2, 1)
_SLOT_SHARE = {8: 4, 4: 2, 2: 1, 1: 1}  # slots may bring the whole to 1/n of the budget
_ENCODER_SLOTS = 4
_UNKNOWN_CONTEXT = 4096  # tokens, when the file does not say what it was trained for
_Q8_BLOCK, _Q8_BYTES = 32, 34


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What this process may use, limits of its control group included."""

    cores: int
    memory: int  # bytes in all
    available: int  # bytes that can be had now without swapping


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """How a model would be served, and whether it can be."""

    fits: bool
    why: str  # in words, for people
    embedding: bool
    threads: int
    slots: int  # calls that run at once; further ones wait
    context: int  # tokens that each call may use, prompt and answer together
    batch: int  # prompt tokens per step
    cache_mib: int  # host memory for cached prompts
    kv_type: Literal["f16", "q8_0"]
    weights: int  # bytes
    kv: int  # bytes of keys and values, all slots
    compute: int  # bytes of buffers for one step
    bytes: int  # estimated memory in all


def fit(
    facts: Facts,
    machine: Machine,
    *,
    budget: int | None = None,
    context: int | None = None,
    max_context: int = 8192,
    threads: int | None = None,
    companions: int = 0,
) -> Fit:
    """Return the best set-up of a model within `budget` bytes (default: 70 % of the machine's memory).

    `context` is a fixed wish and is never lowered; without it, up to `max_context` tokens are set up and fewer when
    memory is short. `companions` are bytes of further files that are loaded with it (an image encoder, shards).
    """
    budget = machine.memory * 7 // 10 if budget is None else budget
    threads = threads or max(1, machine.cores - 1)
    cache = 0 if facts.embeds else max(_CACHE_LEAST, min(_CACHE_MOST, budget // _CACHE_SHARE >> 20))
    trained = facts.n_ctx_train or _UNKNOWN_CONTEXT
    wanted = min(context, trained) if context else min(trained, max_context)
    kv_type: Literal["f16", "q8_0"] = "q8_0" if _blocks(facts) else "f16"

    def plan(slots: int, length: int) -> Fit:
        kv = slots * length * kv_bytes(facts, kv_type)
        batch = length if facts.embeds else min(_BATCH, length)
        compute = _compute(facts, batch)
        weights = facts.bytes + companions
        return Fit(
            fits=True,
            why="",
            embedding=facts.embeds,
            threads=threads,
            slots=slots,
            context=length,
            batch=batch,
            cache_mib=cache,
            kv_type=kv_type,
            weights=weights,
            kv=kv,
            compute=compute,
            bytes=_BASE + weights + kv + compute + (cache << 20),
        )

    length = wanted
    while True:
        for slots in (_ENCODER_SLOTS, 2, 1) if facts.embeds else _SLOTS:
            found = plan(slots, length)
            if found.bytes <= budget // _SLOT_SHARE[slots]:
                return msgspec.structs.replace(found, why=_praise(found, wanted, trained))
        if context or length // 2 < min(_CONTEXT_LEAST, wanted):
            break
        length //= 2
    least = plan(1, length)
    why = (
        f"needs about {_size(least.bytes)} with {length} tokens of context, {_size(budget)} are granted to models; "
        "take a smaller model or quantisation, or raise [engines] memory"
    )
    return msgspec.structs.replace(least, fits=False, why=why)


def kv_bytes(facts: Facts, kv_type: str) -> int:
    """Bytes that one token of context takes, over all layers. Windowed layers are counted in full."""
    elements = sum(facts.kv_heads) * (facts.key_length + facts.value_length)
    return elements * _Q8_BYTES // _Q8_BLOCK if kv_type == "q8_0" else elements * 2


def _blocks(facts: Facts) -> bool:
    """Whether keys and values divide into the blocks of q8_0."""
    lengths = (facts.key_length, facts.value_length)
    return not facts.embeds and all(n and n % _Q8_BLOCK == 0 for n in lengths)


def _compute(facts: Facts, batch: int) -> int:
    """Bytes of activations for one step; those of a few layers live at once."""
    width = 8 * facts.n_embd + 3 * max(facts.n_ff, facts.n_embd)
    logits = 0 if facts.embeds else facts.n_vocab
    return 4 * batch * (width + logits)


def _praise(found: Fit, wanted: int, trained: int) -> str:
    text = f"about {_size(found.bytes)}: {found.slots} calls at once, {found.context} tokens each"
    if found.context < wanted:
        return text + f" (memory is short for {wanted})"
    return text + (f" (trained for {trained})" if found.context < trained else "")


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 1 << 30 else f"{count >> 20} MiB"


def measure() -> Machine:
    """Return what this machine grants to this process."""
    total, available = _memory()
    limit, used = _group_memory()
    if limit is not None:
        total = min(total, limit)
        available = min(available, max(limit - used, 0))
    return Machine(cores=_cores(), memory=total, available=available)


def _cores() -> int:
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        cores = os.cpu_count() or 1
    for folder in _groups():
        words = _read(folder / "cpu.max").split()
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit():
            cores = min(cores, max(1, int(words[0]) // int(words[1])))
    return max(1, cores)


def _memory() -> tuple[int, int]:
    """All and available memory, bytes."""
    found: dict[str, int] = {}
    for line in _read(Path("/proc/meminfo")).splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0]) << 10
    total = found.get("MemTotal", 0)
    if not total:
        try:
            total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError):
            total = 4 << 30
    return total, found.get("MemAvailable", total // 2)


def _group_memory() -> tuple[int | None, int]:
    """The tightest memory limit of our control groups and what is used of it, bytes; None without a limit."""
    tightest: tuple[int | None, int] = (None, 0)
    for folder in _groups():
        limit, used = _read(folder / "memory.max").strip(), _read(folder / "memory.current").strip()
        if limit.isdigit() and used.isdigit() and (tightest[0] is None or int(limit) < tightest[0]):
            tightest = (int(limit), int(used))
    return tightest


def _groups() -> list[Path]:
    """The folders of our control group (version 2) and of those around it, innermost first."""
    root = Path("/sys/fs/cgroup")
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        if line.startswith("0::"):
            inner = root / line[3:].strip().lstrip("/")
            return [f for f in (inner, *inner.parents) if f == root or root in f.parents]
    return []


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""
