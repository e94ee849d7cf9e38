"""How models are fitted to machines."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from freehold.engines import gguf
from freehold.engines.fit import Machine, fit, kv_bytes, measure

GIB = 1 << 30


def facts(size: int = 100 << 20, **more: object) -> gguf.Facts:
    plain: dict[str, object] = {
        "path": "m.gguf", "bytes": size, "ends_at": size, "version": 3, "arch": "llama", "name": "", "licence": "",
        "parameters": 1, "tensors": 1, "quantisation": "Q4_0", "n_ctx_train": 8192, "n_layer": 30, "n_embd": 576,
        "n_ff": 1536, "n_head": 9, "n_head_kv": 3, "kv_heads": (3,) * 30, "key_length": 64, "value_length": 64,
        "n_vocab": 49152, "n_expert": 0, "n_expert_used": 0, "sliding_window": 0, "causal": True, "pooling": "",
        "tokenizer": "gpt2", "chat_template": "x", "tokens": {}, "split": (0, 1), "metadata": {},
    }  # fmt: skip
    return msgspec.convert({**plain, **more}, gguf.Facts)


def machine(gib: float, cores: int = 4) -> Machine:
    return Machine(cores=cores, memory=int(gib * GIB), available=int(gib * GIB))


def test_a_small_model_on_a_big_machine_gets_everything() -> None:
    found = fit(facts(), machine(32))
    assert found.fits and (found.slots, found.context, found.threads) == (8, 8192, 3)
    assert found.kv_type == "q8_0" and found.batch == 64 and 16 <= found.cache_mib <= 256
    assert found.bytes == sum((found.weights, found.kv, found.compute, found.cache_mib << 20)) + (96 << 20)


def test_keys_and_values_are_counted_to_the_byte() -> None:
    assert kv_bytes(facts(), "f16") == 30 * 3 * 128 * 2
    assert kv_bytes(facts(), "q8_0") == 30 * 3 * 128 * 34 // 32
    odd = facts(key_length=80, value_length=80)
    assert fit(odd, machine(32)).kv_type == "f16"


@pytest.mark.parametrize("gib", [0.5, 1, 2, 4, 8, 16, 64])
def test_what_fits_stays_within_the_budget_and_grows_with_it(gib: float) -> None:
    found = fit(facts(), machine(gib))
    assert found.fits and found.bytes <= gib * GIB * 0.7
    more = fit(facts(), machine(gib * 2))
    assert (more.context, more.slots) >= (found.context, found.slots) or more.context > found.context


def test_slots_go_before_context_and_context_before_refusal() -> None:
    big = facts(4 * GIB, n_layer=32, kv_heads=(8,) * 32, key_length=128, value_length=128, n_embd=4096)
    tight = fit(big, machine(32), budget=int(5.2 * GIB))
    assert tight.fits and tight.slots == 1 and tight.context == 8192
    tighter = fit(big, machine(32), budget=int(4.75 * GIB))
    assert tighter.fits and tighter.context < 8192 and "short" in tighter.why
    none = fit(big, machine(32), budget=4 * GIB)
    assert not none.fits and "needs about" in none.why and "[engines] memory" in none.why


def test_a_context_that_was_asked_for_is_never_lowered() -> None:
    big = facts(4 * GIB, n_layer=32, kv_heads=(8,) * 32, key_length=128, value_length=128, n_ctx_train=131072)
    assert fit(big, machine(64), context=65536).context == 65536
    assert not fit(big, machine(8), context=131072).fits
    assert fit(facts(n_ctx_train=2048), machine(32), context=8192).context == 2048  # not beyond its training


def test_encoders_take_an_input_in_one_step() -> None:
    found = fit(facts(arch="bert", causal=False, pooling="mean", n_ctx_train=512, n_vocab=30522), machine(8))
    assert found.embedding and found.batch == found.context == 512 and found.cache_mib == 0


def test_one_core_still_gets_a_thread() -> None:
    assert fit(facts(), machine(8, cores=1)).threads == 1
    assert fit(facts(), machine(8), threads=7).threads == 7


def test_this_machine_can_be_measured() -> None:
    here = measure()
    assert here.cores >= 1 and 0 < here.available <= here.memory


def test_the_estimate_is_honest_for_a_real_model(chat_model: Path) -> None:
    found = fit(gguf.read(chat_model), machine(8), context=1024)
    assert found.weights == chat_model.stat().st_size and found.fits
