"""What is wrong with contract files, all of it at once. Knows how a problem is told; refuses to find one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import msgspec

from freehold.core.errors import ConfigError


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong: in which file, at which dotted field, what, and what to do. `line` counts from 1; 0
    where nobody knows it."""

    file: str
    where: str
    what: str
    hint: str = ""
    line: int = 0

    @property
    def place(self) -> str:
        """Where it is: file, line and field, as far as they are known."""
        file = f"{self.file}:{self.line}" if self.line else self.file
        return f"{file}: {self.where}" if self.where else file

    def __str__(self) -> str:
        return f"{self.place}: {self.what}" + (f" ({self.hint})" if self.hint else "")


class ContractsFaulty(ConfigError):
    """All that is wrong with some contract files; `problems` lists it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(
            f"contracts: {count}\n" + "\n".join(f"  {problem}" for problem in problems),
            hint="correct the lines named; docs/reference/contracts.md lists every field and its form",
        )
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[type[ContractsFaulty], tuple[tuple[Problem, ...]]]:
        return ContractsFaulty, (self.problems,)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return "did you mean ...?", or what is known."""
    names = [name for name in known if name]
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(names)}"
