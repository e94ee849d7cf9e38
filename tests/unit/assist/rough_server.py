"""A server of tools that misbehaves as it is told: `python rough_server.py MANNER`, over its standard streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

MANNER = sys.argv[1]


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def hear() -> dict[str, Any]:
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    heard: dict[str, Any] = json.loads(line)
    return heard


def greet() -> None:
    asked = hear()
    say(
        {
            "id": asked["id"],
            "result": {
                "protocolVersion": "2025-03-26",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "rough", "version": "1"},
            },
        }
    )
    hear()


def listing(asked: dict[str, Any], names: list[str]) -> None:
    say({"id": asked["id"], "result": {"tools": [{"name": name, "inputSchema": {}} for name in names]}})


def main() -> None:
    if MANNER == "silent":
        time.sleep(600)
    if MANNER == "deaf":
        time.sleep(600)
    if MANNER == "dies":
        print("no licence found", file=sys.stderr)
        sys.exit(3)
    if MANNER == "future":
        asked = hear()
        say({"id": asked["id"], "result": {"protocolVersion": "2999-01-01", "capabilities": {}, "serverInfo": {}}})
        time.sleep(600)
    if MANNER == "garbage":
        while True:
            print("~" * 200, flush=True)
    if MANNER == "endless line":
        while True:
            sys.stdout.write("x" * 65536)
    greet()
    if MANNER == "pages":
        page = 0
        while True:
            asked = hear()
            tools = [{"name": f"t{page}", "inputSchema": {"type": "object"}}, {"name": 7}, {"inputSchema": {}}]
            say({"id": asked["id"], "result": {"tools": tools, "nextCursor": str(page)}})
            page += 1
    asked = hear()
    listing(asked, ["one"])
    if MANNER == "stubborn":
        # Ignores its input's end and SIGTERM, and has a child of its own.
        import signal

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "600"])
        asked = hear()
        text = json.dumps([os.getpid(), child.pid])
        say({"id": asked["id"], "result": {"content": [{"type": "text", "text": text}]}})
        time.sleep(600)
    asked = hear()
    if MANNER == "floods":
        while True:
            say({"method": "notifications/message", "params": {"data": "!"}})
    if MANNER == "asks":
        answers = []
        for number, method in enumerate(("ping", "sampling/createMessage", "roots/list", "elicitation/create")):
            say({"id": f"s{number}", "method": method, "params": {}})
            answers.append(hear())
        say({"id": asked["id"], "result": {"content": [{"type": "text", "text": json.dumps(answers)}]}})
    if MANNER == "odd":
        say({"id": asked["id"], "result": {"content": "no list"}})
    if MANNER == "chatty":
        print("Starting up...", flush=True)
        print("[1, 2", flush=True)
        say({"id": 999, "result": {}})
        say({"id": asked["id"], "result": {"content": [{"type": "text", "text": "a\u0000b"}, {"type": "hologram"}]}})
    if MANNER == "cancelled":
        heard, asked = sorted((hear(), hear()), key=lambda message: "id" in message)
        say({"id": asked["id"], "result": {"content": [{"type": "text", "text": json.dumps(heard)}]}})
    while True:
        hear()


main()
