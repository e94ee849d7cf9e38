"""Tokens per second of the embedded model: the bare engine in a process of its own, and the same through the door.

`python bench/engine.py [--rounds 3] [--tokens 128]`. Both are loaded all the time and take turns with the same
requests, at 1, 4 and 8 streams. Both have the same threads, slots, context and step: what `freehold models fit` names.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import cpu
from peers import PYTHON, ROOT, Peer

MODEL = "smollm2-135m-instruct"
TOPICS = ("a house", "the sea", "bread", "a clock", "rain", "a bridge", "winter", "a garden")
CONFIG = """
[server]
listen = "127.0.0.1:{port}"
[store]
url = "sqlite:///freehold.db"
[ledger]
durability = "strict"
bodies = "none"
[deployments.own]
kind = "llamacpp"
model = "{model}"
"""


def environment(folder: Path) -> dict[str, str]:
    """What both children are started with; threads that wait must not spin."""
    return {
        **os.environ,
        "HOME": str(folder),
        "FREEHOLD_HOME": os.environ.get("FREEHOLD_HOME", str(Path.home() / ".cache" / "freehold")),
        "PYTHONPATH": os.pathsep.join(p for p in (str(ROOT / "src"), os.environ.get("PYTHONPATH", "")) if p),
        "GOMP_SPINCOUNT": "0",
        "OMP_WAIT_POLICY": "PASSIVE",
    }


def freehold(env: dict[str, str], *words: str) -> Any:
    """What a command prints with --json."""
    done = subprocess.run([PYTHON, "-m", "freehold", *words, "--json"], env=env, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"freehold {' '.join(words)}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


class Door:
    """The model through the door."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.peer = Peer("freehold", folder / "house", 0)
        file = self.peer.folder / "freehold.toml"
        file.write_text(CONFIG.format(port=self.peer.port, model=MODEL))
        self.peer.key = freehold(env, "keys", "create", "bench", "--config", str(file))["key"]
        log = (self.peer.folder / "log").open("ab")
        command = [PYTHON, "-m", "freehold", "serve", "--config", str(file)]
        self.peer.process = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
        deadline = time.perf_counter() + 120
        while True:
            try:
                self.run([ask(0, 2)])
                return
            except (OSError, http.client.HTTPException):
                if time.perf_counter() > deadline:
                    raise SystemExit(f"no answer:\n{(self.peer.folder / 'log').read_text()[-2000:]}") from None
                time.sleep(0.1)

    @property
    def pid(self) -> int:
        return self.peer.pid

    def run(self, requests: list[dict[str, Any]]) -> dict[str, Any]:
        counts: list[int] = []
        threads = [threading.Thread(target=lambda r=r: counts.append(self._one(r))) for r in requests[1:]]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        counts.append(self._one(requests[0]))
        for thread in threads:
            thread.join()
        return {"tokens": sum(counts), "seconds": time.perf_counter() - began}

    def _one(self, request: dict[str, Any]) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.peer.port, timeout=300)
        headers = {"authorization": f"Bearer {self.peer.key}", "content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps({**request, "model": "own"}), headers)
        reply = connection.getresponse()
        if reply.status != 200:
            raise http.client.HTTPException(f"{reply.status} {reply.read()[:300]!r}")
        usage = 0
        for line in reply:
            if line.startswith(b"data: {") and b'"usage"' in line:
                usage = (json.loads(line[6:]).get("usage") or {}).get("completion_tokens", usage)
        connection.close()
        return usage

    def end(self) -> None:
        self.peer.end()


class Bare:
    """The engine without a door."""

    def __init__(self, folder: Path, env: dict[str, str], fit: dict[str, Any], path: str) -> None:
        said = {name: fit[name] for name in ("context", "slots", "batch", "threads", "cache_mib", "kv_type")}
        said |= {"path": path, "socket": str(folder / "bare.sock")}
        env = {**env, "OMP_NUM_THREADS": str(fit["threads"])}
        command = [PYTHON, str(ROOT / "bench" / "bare.py"), json.dumps(said)]
        self.process = subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._line()

    @property
    def pid(self) -> int:
        return self.process.pid

    def _line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        result: dict[str, Any] = json.loads(self.process.stdout.readline())
        return result

    def run(self, requests: list[dict[str, Any]]) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(requests) + "\n")
        self.process.stdin.flush()
        return self._line()

    def end(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def ask(number: int, tokens: int, turn: int = 0) -> dict[str, Any]:
    """One request; `turn` keeps the prompt cache from answering."""
    text = f"Number {turn}-{number}. Write a long story about {TOPICS[number % len(TOPICS)]}, with many details."
    return {
        "messages": [{"role": "user", "content": text}],
        "max_tokens": tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def model_file(env: dict[str, str]) -> str:
    """Where the model's file is."""
    folder = Path(env["FREEHOLD_HOME"]) / "models" / MODEL
    found = sorted(folder.glob("*.gguf"))
    if not found:
        raise SystemExit(f"no model in {folder}: freehold models pull {MODEL}")
    return str(found[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--streams", default="1,4,8")
    chosen = parser.parse_args()
    rows: dict[int, dict[str, list[tuple[float, float]]]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        env = environment(folder)
        fit = freehold(env, "models", "fit", MODEL)["models"][0]
        sides: dict[str, Any] = {}
        try:
            sides["bare"] = Bare(folder, env, fit, model_file(env))
            sides["door"] = Door(folder, env)
            for turn in range(chosen.rounds):
                for streams in map(int, chosen.streams.split(",")):
                    for side, runner in sides.items():
                        before = cpu(runner.pid)
                        got = runner.run([ask(n, chosen.tokens, turn) for n in range(streams)])
                        burnt = (cpu(runner.pid) - before) / got["tokens"] * 1000
                        rate = got["tokens"] / got["seconds"]
                        rows.setdefault(streams, {}).setdefault(side, []).append((rate, burnt))
                        print(
                            f"{streams} streams, {side}: {rate:6.1f} tokens/s, {burnt:.2f} ms CPU a token",
                            file=sys.stderr,
                        )
        finally:
            for runner in sides.values():
                runner.end()
    print(
        "\n| streams | bare, tokens/s | door, tokens/s | door of bare | bare, ms CPU a token | door, ms CPU a token |"
    )
    print("|--:|--:|--:|--:|--:|--:|")
    for streams, sides_of in rows.items():
        bare, door = (max(rate for rate, _ in sides_of[side]) for side in ("bare", "door"))
        costs = [min(burnt for _, burnt in sides_of[side]) for side in ("bare", "door")]
        print(f"| {streams} | {bare:.1f} | {door:.1f} | {door / bare:.1%} | {costs[0]:.2f} | {costs[1]:.2f} |")
    out = ROOT / "bench" / "out"
    out.mkdir(exist_ok=True)
    (out / time.strftime("engine-%Y%m%d-%H%M%S.json", time.gmtime())).write_text(
        json.dumps({"fit": fit, "rows": rows}, indent=1)
    )


if __name__ == "__main__":
    main()
