"""What the recognisers of personal data find, what they wrongly take, and what they cost, beside others.

Corpora are published ones (bench/guards_corpus.py says which); texts come from a process without Freehold in it, and so
do the peers' findings. Needs the environment of requirements/guards.txt:

    scripts/install.sh .venv-guards requirements/guards.txt alone
    .venv/bin/python bench/guards.py [--peers presidio argus datafog] [--each 100] [--names]

Recall counts a label when one finding of its kind covers it whole; `covered` when findings of any kind do: nothing of
it would leave. Precision counts a finding when a label of its kind overlaps it. CPU is process time, the best of three.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from freehold.guards.find import find

HERE = Path(__file__).resolve().parent
KINDS = ("EMAIL", "PHONE", "CARD", "IBAN", "IP", "NATIONAL_ID", "SECRET")
PROMPT = (
    "Please summarise the attached quarterly report for the board. In 2024 revenue rose by 12 % to 3.4 million euros, "
    "while costs in the Nordic region - mostly rent and salaries - fell to 1.1 million. The management expects that "
    "growth continues through 2025, with about 40 new employees and three new offices{}. Write no more than 200 words, "
    "use plain language, and mention the risks: exchange rates, energy prices, and the self-evident dependence on two "
    "large customers{}. Then list five questions that a critical member of the board could ask, with a short answer to "
    "each of them, in the order of their weight."
)
FOUR = (
    " (mail anna.berg@example.org or +44 20 7946 0958)",
    ", IBAN DE89 3704 0044 0532 0130 00 and card 4111 1111 1111 1111",
)

Found = list[tuple[str, int, int]]


def ours(text: str) -> Found:
    return [(each.kind, each.start, each.end) for each in find(text)]


def peer(python: Path, name: str, texts: list[str]) -> tuple[list[Found], float]:
    """Findings of a peer, and its CPU seconds."""
    lines = "\n".join(json.dumps(text) for text in texts)
    child = subprocess.run(
        [python, HERE / "guards_peers.py", name],
        input=lines.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    answer = json.loads(child.stdout)
    return [[tuple(each) for each in found] for found in answer["found"]], answer["seconds"]


class Score:
    """Sums over texts: labels, labels found, labels covered; findings, right findings."""

    def __init__(self) -> None:
        self.labels: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.covered: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()
        self.right: Counter[str] = Counter()

    def add(self, labels: list[list[Any]], found: Found, kinds: tuple[str, ...]) -> None:
        for kind, start, end in labels:
            if kind in kinds:
                self.labels[kind] += 1
                self.found[kind] += any(k == kind and s <= start and e >= end for k, s, e in found)
                self.covered[kind] += any(s <= start and e >= end for k, s, e in found if k != "-")
        for kind, start, end in found:
            if kind in kinds:
                self.taken[kind] += 1
                self.right[kind] += any(k == kind and s < end and e > start for k, s, e in labels)


def share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "-"


def named(where: str) -> str:
    """The set that a row is summed under."""
    return "keys by issuer's form" if where.startswith("keys") else where.partition(", ")[0]


def drawn(corpus: list[dict[str, Any]], each: int) -> list[dict[str, Any]]:
    """Of each set at most `each` texts, drawn by lot."""
    sets: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in corpus:
        sets[named(row["set"]).partition(":")[0] if row["set"].startswith("cards") else named(row["set"])].append(row)
    lot = random.Random(1)
    return [row for rows in sets.values() for row in lot.sample(rows, min(each, len(rows)))]


def by_set(corpus: list[dict[str, Any]]) -> None:
    """Recall on each set, and what was taken from texts that have nothing."""
    scores: dict[str, Score] = defaultdict(Score)
    texts: Counter[str] = Counter()
    for row in corpus:
        where = named(row["set"])
        texts[where] += 1
        scores[where].add(row["labels"], ours(row["text"]), KINDS)
    print("| texts | kind | labels | recall | covered |\n|---|---|--:|--:|--:|")
    for where, score in scores.items():
        for kind, labels in score.labels.items():
            recall, covered = share(score.found[kind], labels), share(score.covered[kind], labels)
            print(f"| {where} | {kind} | {labels} | {recall} | {covered} |")
    print("\n| texts with nothing in them | texts | taken |\n|---|--:|---|")
    for where, score in scores.items():
        if where.startswith("clean"):
            taken = ", ".join(f"{kind} {times}" for kind, times in score.taken.items()) or "nothing"
            print(f"| {where.removeprefix('clean: ')} | {texts[where]} | {taken} |")


def beside(corpus: list[dict[str, Any]], names: list[str], python: Path) -> None:
    """Recall and precision by kind, and CPU, of each on the same texts."""
    texts = [row["text"] for row in corpus]
    began = time.process_time()
    results = {"freehold": [ours(text) for text in texts]}
    spent = {"freehold": time.process_time() - began}
    for name in names:
        results[name], spent[name] = peer(python, name, texts)
    scores = {}
    for name, found in results.items():
        scores[name] = Score()
        for row, each in zip(corpus, found, strict=True):
            scores[name].add(row["labels"], each, KINDS)
    print(f"\n| recall / precision on {len(texts)} texts | labels | " + " | ".join(scores) + " |")
    print("|---|--:|" + "--:|" * len(scores))
    for kind in KINDS:
        labels = scores["freehold"].labels[kind]
        cells = [f"{share(s.found[kind], labels)} / {share(s.right[kind], s.taken[kind])}" for s in scores.values()]
        print(f"| {kind} | {labels} | " + " | ".join(cells) + " |")
    cells = [f"{seconds / len(texts) * 1e6:.0f}" for seconds in spent.values()]
    print("| CPU, us a text | | " + " | ".join(cells) + " |")


def cost() -> None:
    """CPU of prompts and of hostile texts of 1 MB."""
    code = Path(__file__).read_text("utf-8")
    prompts = {
        "600 characters, nothing in them": PROMPT.format("", ""),
        "the same with an umlaut": PROMPT.format(" in München", ""),
        "the same with non-breaking spaces": PROMPT.format("\u00a0\u2014 yes", ""),
        "with four findings": PROMPT.format(*FOUR),
        "600 characters of code": code[1200:1800],
        "16 kB of prose": PROMPT.format("", "") * 26,
        "30 kB of code": (code * 4)[:30000],
    }
    print("\n| text | characters | found | CPU, us |\n|---|--:|--:|--:|")
    for name, text in prompts.items():
        times = max(20, 200000 // len(text))
        best = min(seconds(text, times) for _ in range(3)) / times
        print(f"| {name} | {len(text)} | {len(find(text))} | {best * 1e6:.1f} |")
    for unit in (
        "a",
        "1",
        "1 ",
        "a@a.",
        "DE89 ",
        "+1 415 ",
        "sk-",
        "password=",
        "A1",
        "::",
        "4111 1111 1111 1111 ",
        "𝟙",
    ):
        text = unit * ((1 << 20) // len(unit))
        print(f"| 1 MB of {unit!r} | {len(text)} | {len(find(text))} | {seconds(text, 1) * 1e6:.0f} |")


def seconds(text: str, times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        find(text)
    return time.process_time() - began


def with_names(corpus: list[dict[str, Any]]) -> None:
    """Names and places by the optional child, on the sentences."""
    from freehold.guards.names import Names

    async def run() -> tuple[list[Found], float]:
        names = Names()
        await names.find(["Ann lives in Oslo."])
        began = time.perf_counter()
        found = [(await names.find([row["text"]]))[0] for row in corpus]
        took = time.perf_counter() - began
        await names.close()
        return [[(each.kind, each.start, each.end) for each in one] for one in found], took

    found, took = asyncio.run(run())
    score = Score()
    for row, each in zip(corpus, found, strict=True):
        score.add(row["labels"], each, ("NAME", "PLACE"))
    print(f"\n| names and places, {len(corpus)} sentences | labels | recall | precision |\n|---|--:|--:|--:|")
    for kind, labels in score.labels.items():
        right = share(score.right[kind], score.taken[kind])
        print(f"| {kind} | {labels} | {share(score.found[kind], labels)} | {right} |")
    print(f"\n{took / len(corpus) * 1000:.1f} ms a sentence, one after another.")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--python", type=Path, default=Path(".venv-guards/bin/python"), help="where the corpora are")
    options.add_argument("--peers", nargs="*", default=["presidio", "argus", "datafog"])
    options.add_argument(
        "--each", type=int, default=100, help="texts of each set, drawn by lot, that the peers are given"
    )
    options.add_argument("--names", action="store_true", help="names and places too, with the extra `names`")
    asked = options.parse_args()
    made = subprocess.run([asked.python, HERE / "guards_corpus.py"], stdout=subprocess.PIPE, check=True).stdout
    corpus = [json.loads(line) for line in made.splitlines()]
    version = sys.version.split()[0]
    print(f"{len(corpus)} texts, Python {version}, {time.strftime('%Y-%m-%d', time.gmtime())}\n")
    by_set(corpus)
    if asked.peers:
        beside(drawn(corpus, asked.each), asked.peers, asked.python)
    cost()
    if asked.names:
        with_names([row for row in corpus if row["set"] == "sentences"])


if __name__ == "__main__":
    main()
