"""The systems that are compared: how each is configured, started and ended. Refuses to know what is measured."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from measure import cpu

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
MODELS = ("bench-500", "bench-100000", "bench-sse-100-20", "bench-sse-3-20")


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Peer:
    """One running system. `key` is what a client shows it, `cold` how long it took to its first good answer."""

    def __init__(self, name: str, folder: Path, upstream: int) -> None:
        self.name, self.folder, self.upstream = name, folder, upstream
        self.port = free_port()
        self.key = "sk-none"
        self.cold = self.cold_cpu = 0.0
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def spawn(self, command: list[str], env: dict[str, str] | None = None, patience: float = 120.0) -> None:
        """Start `command` and wait for its first good answer to a real request."""
        log = (self.folder / "log").open("ab")
        began = time.perf_counter()
        self.process = subprocess.Popen(
            command, env=env, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        while not self.answers():
            if self.process.poll() is not None or time.perf_counter() - began > patience:
                raise SystemExit(f"{self.name} does not answer:\n{(self.folder / 'log').read_text()[-3000:]}")
            time.sleep(0.005)
        self.cold, self.cold_cpu = time.perf_counter() - began, cpu(self.pid)

    def answers(self) -> bool:
        """Whether a chat request gets an answer."""
        body = json.dumps({"model": "bench-500", "messages": [{"role": "user", "content": "tok-0123456789abcdef"}]})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
            connection.request("POST", "/v1/chat/completions", body, headers)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def end(self) -> None:
        """End the whole process group."""
        if self.process is None:
            return
        for sig in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, sig)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
                return


def direct(peer: Peer) -> None:
    """The upstream itself: what the load generator and the network alone take."""
    peer.port = peer.upstream


NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_max_body_size 64m; client_body_buffer_size 256k; keepalive_requests 1000000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream vendor {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://vendor; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer sk-upstream"; proxy_buffering off;
    }}
  }}
}}
"""


def nginx(peer: Peer) -> None:
    """A plain reverse proxy with one worker and kept connections upstream; it knows no keys, limits or records."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    file = peer.folder / "nginx.conf"
    file.write_text(NGINX.format(folder=peer.folder, port=peer.port, upstream=peer.upstream))
    peer.spawn([program, "-p", str(peer.folder), "-c", str(file)])


DEPLOYMENT = """
[deployments."{name}"]
kind = "openai"
endpoint = "http://127.0.0.1:{upstream}/v1"
key = {{ env = "UPSTREAM_KEY" }}
model = "{name}"
maker = "maker"
seller = "seller"
host = "host"
price = {{ input = "1.00", output = "4.00", cached = "0.50", currency = "USD" }}
"""


def freehold(durability: str, bodies: str = "none", workers: int = 1) -> Callable[[Peer], None]:
    """Freehold with a key that has three limits, prices, metrics, and the ledger in `durability`."""

    def start(peer: Peer) -> None:
        file = peer.folder / "freehold.toml"
        head = (
            f'[server]\nlisten = "127.0.0.1:{peer.port}"\nworkers = {workers}\n[store]\nurl = "sqlite:///freehold.db"\n'
            f'[ledger]\ndurability = "{durability}"\nbodies = "{bodies}"\n'
        )
        file.write_text(head + "".join(DEPLOYMENT.format(name=name, upstream=peer.upstream) for name in MODELS))
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(peer.folder),
            "UPSTREAM_KEY": "sk-upstream",
            "PYTHONPATH": os.pathsep.join(p for p in (str(ROOT / "src"), os.environ.get("PYTHONPATH", "")) if p),
        }
        limits = ["requests=100000000/minute", "tokens=1000000M/day", "budget=1000000 USD/month"]
        words = [word for limit in limits for word in ("--limit", limit)]
        command = [PYTHON, "-m", "freehold", "keys", "create", "bench", *words, "--json", "--config", str(file)]
        made = subprocess.run(command, env=env, cwd=peer.folder, capture_output=True, text=True)
        if made.returncode != 0:
            raise SystemExit(f"{peer.name}: no key\n{made.stdout}{made.stderr}")
        peer.key = json.loads(made.stdout)["key"]
        peer.spawn([PYTHON, "-m", "freehold", "serve", "--config", str(file)], env)

    return start


LITELLM = """
general_settings:
  master_key: {key}
litellm_settings:
  set_verbose: false
  json_logs: true
  request_timeout: 120
  telemetry: false
model_list:
"""


def litellm(peer: Peer) -> None:
    """LiteLLM's proxy as its production guide says: one worker, errors only in the log, a master key, no database."""
    peer.key = "sk-" + "bench" * 8
    lines = LITELLM.format(key=peer.key)
    for name in MODELS:
        lines += (
            f"  - model_name: {name}\n    litellm_params:\n      model: openai/{name}\n"
            f"      api_base: http://127.0.0.1:{peer.upstream}/v1\n      api_key: sk-upstream\n"
        )
    file = peer.folder / "config.yaml"
    file.write_text(lines)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(peer.folder),
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "NO_DOCS": "True",
    }
    words = ["--config", str(file), "--host", "127.0.0.1", "--port", str(peer.port), "--num_workers", "1"]
    peer.spawn([str(litellm_program()), *words], env, 180)


def litellm_program() -> Path:
    """Where LiteLLM is installed: `LITELLM` in the environment, or .venv-bench."""
    named = os.environ.get("LITELLM")
    program = Path(named) if named else ROOT / ".venv-bench" / "bin" / "litellm"
    if not program.exists():
        raise SystemExit(f"{program} is missing: `make bench` installs it; or name other peers with --peers")
    return program


PEERS: dict[str, Callable[[Peer], None]] = {
    "direct": direct,
    "nginx": nginx,
    "freehold-batched": freehold("batched"),
    "freehold-strict": freehold("strict"),
    "freehold-bodies": freehold("batched", "redacted"),
    "litellm": litellm,
}


def mock() -> tuple[subprocess.Popen[bytes], int]:
    """Start the upstream that all share; return it and its port."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([PYTHON, "-m", "tests.vendor"], cwd=ROOT, env=env, stdout=subprocess.PIPE)
    assert process.stdout is not None
    return process, int(process.stdout.readline().decode().rsplit(":", 1)[1])
