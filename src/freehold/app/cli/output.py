"""What the command line prints: results on stdout, talk on stderr, JSON for machines. Refuses to know any command."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO


class Talk:
    """The voice of one command. `json`: results for machines; `quiet`: errors only; `plain`: no colour or movement."""

    def __init__(
        self, *, json: bool = False, quiet: bool = False, plain: bool = False, stderr: TextIO | None = None
    ) -> None:
        self.json = json
        self.quiet = quiet
        self._stderr = sys.stderr if stderr is None else stderr
        self.moving = self._stderr.isatty() and not plain
        self._line = 0

    def say(self, text: str = "") -> None:
        """A line for the person who waits."""
        if not self.quiet:
            self.end()
            print(text, file=self._stderr, flush=True)

    def error(self, message: str, hint: str = "", code: str = "") -> None:
        """What went wrong and what to do."""
        self.end()
        if self.json:
            print(json.dumps({"error": {"code": code, "message": message, "hint": hint}}), file=self._stderr)
            return
        print(f"freehold: {message}", file=self._stderr)
        if hint:
            print(f"  what to do: {hint}", file=self._stderr)

    def result(self, value: Any, text: str | None = None) -> None:
        """Print `value` as JSON with --json, else `text`."""
        print(json.dumps(value, ensure_ascii=False, indent=2) if self.json or text is None else text)

    def rows(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], empty: str = "nothing") -> None:
        """Print rows as a table, or all their members as a JSON list with --json."""
        if self.json:
            self.result(list(rows))
        elif not rows:
            self.say(empty)
        else:
            print(table([[cell(row.get(column)) for column in columns] for row in rows], columns))

    def progress(self, label: str, unit: str = "bytes") -> Callable[[int, int], None]:
        """Return a function (done, total) in `unit` that shows how far `label` is: a bar, or a line each tenth."""
        say = size if unit == "bytes" else lambda count: f"{count} {unit}"
        began = time.monotonic()
        shown = -1

        def update(done: int, total: int) -> None:
            nonlocal shown
            if self.quiet:
                return
            tenths = done * 10 // total if total else 0
            if self.moving:
                self._bar(label, done, total, time.monotonic() - began, say)
            elif tenths > shown:
                print(f"{label}: {tenths * 10} % of {say(total)}", file=self._stderr, flush=True)
            shown = max(shown, tenths)

        return update

    def _bar(self, label: str, done: int, total: int, seconds: float, say: Callable[[int], str]) -> None:
        try:
            width = os.get_terminal_size(self._stderr.fileno()).columns
        except (OSError, ValueError):
            width = 80
        share = done / total if total else 0.0
        pace = done / seconds if seconds > 0.2 else 0.0
        left = f" {max(0, (total - done)) / pace:.0f} s" if pace and total else ""
        tail = f" {share:4.0%} {say(done)} of {say(total)}{left}"
        room = max(8, width - len(label) - len(tail) - 4)
        full = int(share * room)
        text = f"{label} [{'#' * full}{'.' * (room - full)}]{tail}"[: width - 1]
        print("\r" + text.ljust(self._line), end="", file=self._stderr, flush=True)
        self._line = len(text)

    def end(self) -> None:
        """Close a bar that is still on its line."""
        if self._line:
            print(file=self._stderr)
            self._line = 0


def cell(value: Any) -> str:
    """Return a table cell's text."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(str(item) for item in value) or "-"
    return str(value)


def table(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> str:
    """Return aligned columns under their names."""
    lines = [list(columns), *rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def size(count: int) -> str:
    """Return a number of bytes for people: "93.5 MB"."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
