"""What moving in costs: an export of ChatGPT's form is generated, as large as asked for, and imported by the command.

`python bench/imports.py [--megabytes 1000] [--seconds 900] [--again]` prints CPU seconds, the largest memory held, and
what came of it. Prose is made of a vocabulary with the spread of a natural one, and about half of the bytes are what
stands around it in such files. Past `--seconds` the import is ended and what it had done by then is told.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORDS = 30_000
SHARD = 100
START = 1_700_000_000


class Prose:
    """Words of 2 to 12 letters, drawn as often as Zipf says."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        letters = "etaoinshrdlucmfwypvbgk"
        lengths = [2 + self.chance.getrandbits(3) + self.chance.getrandbits(1) * 2 for _ in range(WORDS)]
        self.words = ["".join(self.chance.choices(letters, k=length)) for length in lengths]
        self.sums = list(itertools.accumulate(1 / (rank + 2) for rank in range(WORDS)))

    def text(self, words: int) -> str:
        top, sums = self.sums[-1], self.sums
        picked = [self.words[bisect.bisect(sums, self.chance.random() * top)] for _ in range(words)]
        for at in range(12, len(picked), 12):
            picked[at] += ".\n\n" if at % 60 == 0 else "."
        return " ".join(picked)


def conversation(number: int, prose: Prose) -> dict[str, Any]:
    """One conversation: 4 to 40 turns, now and then a second answer."""
    mapping: dict[str, Any] = {}
    root = f"talk-{number:08x}-root"
    mapping[root] = {"id": root, "message": None, "parent": None, "children": []}
    parent, at = root, START + number * 3600.0
    for turn in range(2 * prose.chance.randint(2, 20)):
        asked = turn % 2 == 0
        for _ in range(1 if asked or prose.chance.random() > 0.1 else 2):
            id = (
                f"talk-{number:08x}-{turn:04x}-4{prose.chance.getrandbits(12):03x}-a{prose.chance.getrandbits(60):015x}"
            )
            metadata = {"request_id": f"{prose.chance.getrandbits(128):032x}-FRA", "timestamp_": "absolute"}
            if not asked:
                metadata |= {
                    "citations": [],
                    "content_references": [],
                    "model_slug": "gpt-5",
                    "finish_details": {"type": "stop", "stop_tokens": [200002]},
                    "is_complete": True,
                    "parent_id": parent,
                    "turn_exchange_id": f"{prose.chance.getrandbits(128):032x}",
                    "reasoning_status": "reasoning_ended",
                }
            mapping[id] = {
                "id": id,
                "message": {
                    "id": id,
                    "author": {"role": "user" if asked else "assistant", "name": None, "metadata": {}},
                    "create_time": at,
                    "update_time": None,
                    "content": {"content_type": "text", "parts": [prose.text(25 if asked else 220)]},
                    "status": "finished_successfully",
                    "end_turn": None if asked else True,
                    "weight": 1.0,
                    "metadata": metadata,
                    "recipient": "all",
                    "channel": None if asked else "final",
                },
                "parent": parent,
                "children": [],
            }
            mapping[parent]["children"].append(id)
            at += 7.25
        parent = id
    return {
        "title": prose.text(5),
        "create_time": START + number * 3600.0,
        "update_time": at,
        "mapping": mapping,
        "moderation_results": [],
        "current_node": parent,
        "conversation_id": f"talk-{number:08x}",
        "default_model_slug": "gpt-5",
        "is_archived": False,
        "id": f"talk-{number:08x}",
    }


def generate(path: Path, size: int) -> tuple[int, int]:
    """Write an archive with `size` bytes of JSON; return how many conversations and bytes those are."""
    prose = Prose(7)
    pool = [json.dumps(conversation(number, prose)) for number in range(SHARD)]  # made once, told apart by their ids
    written = count = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        shard = 0
        while written < size:
            talks = [text.replace(f"talk-{n:08x}", f"talk-{count + n:08x}") for n, text in enumerate(pool)]
            data = "[" + ", ".join(talks) + "]"
            archive.writestr(f"conversations-{shard:03}.json", data)
            written, count, shard = written + len(data), count + len(talks), shard + 1
    return count, written


def run(words: list[str], home: Path, seconds: float) -> tuple[str, resource.struct_rusage, float, bool]:
    """Run a command; return what it printed, what it used, its seconds, and whether it came to its end."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "HOME": str(home)}
    began = time.monotonic()
    with (home / "out").open("w+") as out:
        process = subprocess.Popen((sys.executable, "-m", "freehold", *words), cwd=home, env=env, stdout=out)
        ended = True
        while True:
            pid, _, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if ended and time.monotonic() - began > seconds:
                process.terminate()
                ended = False
            time.sleep(0.1)
        process.returncode = 0
        out.seek(0)
        return out.read(), used, time.monotonic() - began, ended


def report(name: str, size: int, used: resource.struct_rusage, wall: float, rest: str) -> None:
    cpu = used.ru_utime + used.ru_stime
    print(
        f"{name}: {cpu:.0f} s CPU, {wall:.0f} s in all, at most {used.ru_maxrss / 1024:.0f} MiB, "
        f"{size / 1e6 / cpu:.1f} MB a CPU second; {rest}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--again", action="store_true", help="import a second time as well")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fh-imports-") as folder:
        home = Path(folder)
        (home / "freehold.toml").write_text('[store]\nurl = "sqlite:///freehold.db"\n')
        path = home / "export.zip"
        count, size = generate(path, args.megabytes * 1_000_000)
        print(f"{count:,} conversations, {size / 1e6:.0f} MB of JSON, {path.stat().st_size / 1e6:.0f} MB zipped")
        run(["members", "create", "mover", "--role", "owner", "--link", "--quiet"], home, 60)
        for name in ("import", "again")[: 1 + args.again]:
            text, used, wall, ended = run(
                ["import", str(path), "--member", "mover", "--json", "--quiet"], home, args.seconds
            )
            told = json.loads(text)["conversations"] if ended else "ended before its end"
            report(name, size, used, wall, str(told))
        print(f"store: {(home / 'freehold.db').stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
