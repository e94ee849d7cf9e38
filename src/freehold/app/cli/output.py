"""What the command line prints: results on stdout, talk on stderr, JSON for machines. Refuses to know any command."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TextIO

from freehold.core.errors import FreeholdError


class UsageError(FreeholdError):
    """The command line is wrong. `usage` is what stands above the message for people."""

    code, status, fault = "usage", 400, "caller"

    def __init__(self, message: str, *, hint: str = "", usage: str = "") -> None:
        super().__init__(message, hint=hint)
        self.usage = usage


class Talk:
    """The voice of one command. `json`: results for machines; `quiet`: errors only; `plain`: no colour or movement."""

    def __init__(
        self, *, json: bool = False, quiet: bool = False, plain: bool = False, stderr: TextIO | None = None
    ) -> None:
        self.json = json
        self.quiet = quiet
        # A process may be started without a stderr; what is said goes nowhere then.
        self._stderr = stderr or sys.stderr or io.StringIO()
        self.moving = self._stderr.isatty() and not plain
        self._line = 0

    def say(self, text: str = "") -> None:
        """A line for the person who waits."""
        if not self.quiet:
            self.end()
            self._murmur(text)

    def error(self, message: str, hint: str = "", code: str = "", problems: Sequence[Any] = ()) -> None:
        """What went wrong and what to do. `problems` are its parts, which the message lists for people."""
        self.end()
        if self.json:
            parts = {"problems": list(problems)} if problems else {}
            self._murmur(json.dumps({"error": {"code": code, "message": message, "hint": hint, **parts}}))
            return
        self._murmur(f"freehold: {message}" + (f"\n  what to do: {hint}" if hint else ""))

    def result(self, value: Any, text: str | None = None) -> None:
        """Print `value` as JSON with --json, else `text`."""
        self.text(json.dumps(value, ensure_ascii=False, indent=2) if self.json or text is None else text)

    def text(self, text: str) -> None:
        """Print a result. A reader that went away changes nothing: the command ends as it would have."""
        try:
            print(text, flush=True)
        except BrokenPipeError:
            mute(sys.stdout)

    def _murmur(self, text: str, end: str = "\n") -> None:
        try:
            print(text, end=end, file=self._stderr, flush=True)
        except BrokenPipeError:
            mute(self._stderr)

    def rows(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], empty: str = "nothing") -> None:
        """Print rows as a table, or all their members as a JSON list with --json."""
        if self.json:
            self.result(list(rows))
        elif not rows:
            self.say(empty)
        else:
            self.text(table([[cell(row.get(column)) for column in columns] for row in rows], columns))

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
                self._murmur(f"{label}: {tenths * 10} % of {say(total)}")
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
        self._murmur("\r" + text.ljust(self._line), end="")
        self._line = len(text)

    def end(self) -> None:
        """Close a bar that is still on its line."""
        if self._line:
            self._line = 0
            self._murmur("")


def mute(stream: TextIO) -> None:
    """Give a stream whose reader went away somewhere to go: the interpreter flushes it once more at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def settle(stream: TextIO | None) -> None:
    """Write out what waits in `stream`, so that nothing is left that could fail at the interpreter's end."""
    if stream is not None:
        try:
            stream.flush()
        except (OSError, ValueError):
            mute(stream)


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


def span(seconds: float) -> str:
    """Return a duration for people: "2 h 5 min"."""
    whole = int(seconds)
    for unit, length, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= length:
            return f"{whole // length} {unit} {whole % length // part} {smaller}"
    return f"{whole} s"


def size(count: int) -> str:
    """Return a number of bytes for people: "93.5 MB"."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
