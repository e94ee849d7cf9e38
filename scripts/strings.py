"""The words of the page and their translations: what a catalogue lacks, keeps in vain, or says with other placeholders.

`--write` puts the missing keys into each catalogue, empty and in order, and takes the unused ones out.
Knows how a string is written in JavaScript; refuses to know what it says.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

STATIC = Path(__file__).resolve().parent.parent / "src" / "freehold" / "console" / "static"
CATEGORIES = {  # of the Unicode CLDR: the forms that a language has for a number of things
    "de": ["one", "other"],
    "fr": ["one", "many", "other"],
    "ar": ["zero", "one", "two", "few", "many", "other"],
}
MAY_STAY_UNSAID = {"zero", "one", "two"}  # a form for a known number may leave the number out

CALL = re.compile(r"(?<![\w.$])(t|plural)\(")
LITERAL = re.compile(r"""\s*("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\$]|\\.|\$(?!\{))*`)\s*""", re.DOTALL)
COMMENT = re.compile(r"(?m)^\s*(?://|/?\*).*$")
ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\n)|(.))", re.DOTALL)
PLAIN = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
PLACE = re.compile(r"\{(\w+)\}")

Catalogue = dict[str, "str | dict[str, str]"]


@dataclass
class Words:
    """What the page says: texts and plurals with the place of each, and the calls that nobody can look up here."""

    texts: dict[str, str] = field(default_factory=dict)
    plurals: dict[str, str] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)


def _unescape(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    return chr(int(code, 16)) if code else "" if found[4] else PLAIN.get(found[5], found[5])


def _literal(source: str, at: int) -> tuple[str, int] | None:
    """The text that is written at `at`, pieces joined with `+` as one, and where it ends; None where none is."""
    text = ""
    while found := LITERAL.match(source, at):
        text += ESCAPE.sub(_unescape, found[1][1:-1])
        at = found.end()
        if source[at : at + 1] != "+":
            return (text, at) if source[at : at + 1] in (",", ")") else None
        at += 1
    return None


def _after_argument(source: str, at: int) -> int:
    """Where the argument that begins at `at` ends: behind the comma that no bracket or string holds."""
    depth = 0
    while at < len(source):
        if source[at] in "\"'`" and (found := LITERAL.match(source, at)):
            at = found.end()
            continue
        depth += (source[at] in "([{") - (source[at] in ")]}")
        at += 1
        if depth < 0 or (depth == 0 and source[at - 1] == ","):
            return at
    return at


def _sources(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*.js")):
        name = path.relative_to(folder).as_posix()
        if not name.startswith("vendor/"):
            yield name, COMMENT.sub("", path.read_text("utf-8"))


def read(folder: Path = STATIC) -> Words:
    """Every text of the page's scripts."""
    words = Words()
    for name, source in _sources(folder):
        calls = [each for each in CALL.finditer(source) if not source[: each.start()].endswith("function ")]
        for call in calls:
            place = f"{name}: {source[call.start() : call.end() + 60].splitlines()[0]}"
            if call[1] == "t":
                found = _literal(source, call.end())
                into = words.texts
            else:
                found = _literal(source, _after_argument(source, call.end()))
                found = found and _literal(source, found[1] + 1)
                into = words.plurals
            if found is None:
                words.unreadable.append(place)
            else:
                into.setdefault(found[0], place)
    words.unreadable += [
        f"both a text and a plural: {key}" for key in sorted(words.texts.keys() & words.plurals.keys())
    ]
    return words


def load(name: str, folder: Path = STATIC) -> Catalogue:
    """A catalogue; one that is not there yet is empty."""
    path = folder / "i18n" / f"{name}.json"
    loaded: Catalogue = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return loaded


def _differs(key: str, value: str, category: str) -> bool:
    said, meant = sorted(set(PLACE.findall(value))), sorted(set(PLACE.findall(key)))
    return said != meant and not (category in MAY_STAY_UNSAID and sorted({*said, "n"}) == meant)


def faults(name: str, words: Words, catalogue: Catalogue) -> Iterator[str]:
    """What is wrong with a catalogue, a line each: its language, the fault and the key."""
    for key in [*words.texts, *words.plurals]:
        value = catalogue.get(key)
        forms = {"": value} if isinstance(value, str) else value or {}
        if not forms or any(not each.strip() for each in forms.values()):
            yield f"{name}: missing: {key}"
        elif sorted(forms) != sorted(CATEGORIES[name] if key in words.plurals else [""]):
            yield f"{name}: forms {', '.join(forms) or '(one)'} are not those of the language: {key}"
        elif any(_differs(key, each, category) for category, each in forms.items()):
            yield f"{name}: other placeholders: {key}"
    for key in catalogue.keys() - words.texts.keys() - words.plurals.keys():
        yield f"{name}: unused: {key}"


def write(name: str, words: Words, folder: Path = STATIC) -> None:
    """Give a catalogue the keys that it lacks, empty, and take those out that nothing says, in order."""
    old = load(name, folder)
    new: Catalogue = {}
    for key in sorted([*words.texts, *words.plurals], key=lambda each: (each.casefold(), each)):
        plural = key in words.plurals
        kept = old.get(key)
        if isinstance(kept, dict) != plural or kept is None:
            kept = dict.fromkeys(CATEGORIES[name], "") if plural else ""
        new[key] = kept
    path = folder / "i18n" / f"{name}.json"
    path.write_text(json.dumps(new, ensure_ascii=False, indent=1) + "\n", "utf-8")


def main() -> int:
    """Report, after --write what is left; return the exit code."""
    words = read()
    if "--write" in sys.argv[1:]:
        for name in CATEGORIES:
            write(name, words)
    found = [f"not a literal: {each}" for each in words.unreadable]
    for name in CATEGORIES:
        found += faults(name, words, load(name))
    print("\n".join([*found, f"{len(words.texts)} texts, {len(words.plurals)} plurals, {len(found)} faults"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
