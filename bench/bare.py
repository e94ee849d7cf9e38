"""The engine alone, in a process of its own: a model file, calls in threads, no door. Knows xllamacpp only.

First argument: settings as JSON (see engine.py). Then, for each line of JSON requests on standard input, one line of
results: {"tokens", "seconds"}.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any


def open_engine(said: dict[str, Any]) -> Any:
    """The native server, with the sizes that the door's own engine has."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = said["path"]
    params.n_ctx = said["context"] * said["slots"]
    params.n_parallel = said["slots"]
    params.kv_unified = False
    params.n_batch = params.n_ubatch = said["batch"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = said["threads"]
    params.cache_ram_mib = said["cache_mib"]
    params.fit_params = False
    params.verbosity = 1
    params.hostnames = [said["socket"]]
    kinds = {"q8_0": xllamacpp.ggml_type.GGML_TYPE_Q8_0, "f16": xllamacpp.ggml_type.GGML_TYPE_F16}
    params.cache_type_k = params.cache_type_v = kinds[said["kv_type"]]
    return xllamacpp.Server(params)


def run(engine: Any, requests: list[dict[str, Any]]) -> dict[str, Any]:
    """All requests at once, each in a thread, streamed."""
    counts: list[int] = []

    def one(request: dict[str, Any]) -> None:
        last: dict[str, Any] = {}

        def receive(data: bytes) -> bool:
            if b'"usage"' in data:
                last.update(json.loads(data))
            return False

        engine.handle_chat_completions(json.dumps(request).encode(), receive)
        counts.append(last["usage"]["completion_tokens"])

    threads = [threading.Thread(target=one, args=(request,)) for request in requests]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"tokens": sum(counts), "seconds": time.perf_counter() - began}


def main() -> None:
    engine = open_engine(json.loads(sys.argv[1]))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(engine, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
