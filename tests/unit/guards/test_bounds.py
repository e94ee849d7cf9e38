"""Why recognisers take linear time: what their patterns may repeat, seen in the patterns themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any

import pytest

from freehold.guards import digits, find, fold, names_cues, national, numbers, phones, redact, secrets

MODULES = (digits, find, fold, names_cues, national, numbers, phones, redact, secrets)


def patterns() -> Iterator[tuple[str, re.Pattern[Any]]]:
    for module in MODULES:
        for name, value in sorted(vars(module).items()):
            if isinstance(value, re.Pattern):
                yield f"{short(module)}.{name}", value
    for row in national.LETTERED:
        yield f"national.{row.note}", row.form
    yield "numbers._iban_form", numbers._iban_form(34)


def short(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def unbounded(tree: Any, last: bool = True) -> Iterator[str]:
    """What may be repeated without end and given back: neither possessive nor the last thing that is looked for."""
    items = list(tree)
    for at, (op, given) in enumerate(items):
        end = last and at == len(items) - 1
        if op in (codes.MAX_REPEAT, codes.MIN_REPEAT):
            _, most, inner = given
            single = len(inner) == 1 and inner[0][0] in (codes.IN, codes.LITERAL, codes.NOT_LITERAL, codes.ANY)
            if most == codes.MAXREPEAT and not (end and single):
                yield str(items[at])[:80]
            yield from unbounded(inner, end and most != codes.MAXREPEAT)
        elif op is codes.POSSESSIVE_REPEAT:
            yield from unbounded(given[2], False)
        elif op is codes.SUBPATTERN:
            yield from unbounded(given[3], end)
        elif op is codes.BRANCH:
            for branch in given[1]:
                yield from unbounded(branch, end)
        elif op in (codes.ASSERT, codes.ASSERT_NOT):
            yield from unbounded(given[1], False)


@pytest.mark.parametrize(("name", "pattern"), list(patterns()), ids=[name for name, _ in patterns()])
def test_nothing_unbounded_is_tried_twice(name: str, pattern: re.Pattern[Any]) -> None:
    assert list(unbounded(_parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE | _unicode(pattern)))) == []


def _unicode(pattern: re.Pattern[Any]) -> int:
    return re.UNICODE if isinstance(pattern.pattern, str) and not pattern.flags & re.ASCII else 0


def test_the_rule_sees_what_it_forbids() -> None:
    assert list(unbounded(_parser.parse(r"(?:a+b)+c"))) != []
    assert list(unbounded(_parser.parse(r"\d+x"))) != []
    assert list(unbounded(_parser.parse(r"(?:a|b\s*)y"))) != []
    assert list(unbounded(_parser.parse(r"x\d+"))) == []
    assert list(unbounded(_parser.parse(r"\d++x"))) == []
    assert list(unbounded(_parser.parse(r"\d{1,9}x"))) == []


def test_a_run_of_digits_is_looked_at_piece_by_piece() -> None:
    """However long a run is, what is tried of it has a bound."""
    match = digits._RUN.search(b"0 " * 10_000)
    assert match is not None
    assert match.end() - match.start() <= 110
