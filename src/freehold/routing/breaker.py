"""A circuit breaker per deployment. Knows counts and times it is given; has no clock of its own."""

from __future__ import annotations

import msgspec


class BreakerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a deployment that fails is left alone, and for how long."""

    failures: int = 5  # failures in a row that open the circuit
    cooldown: float = 10.0  # seconds that it stays open the first time; doubles with each failed trial
    longest: float = 120.0  # seconds that it stays open at most


class Breaker:
    """Closed: calls pass. Open: none until `until`. Half-open: one trial passes; it closes or opens it again."""

    __slots__ = ("_settings", "_trial", "failures", "opened", "until")

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._trial = False
        self.failures = 0
        self.opened = 0
        self.until = 0.0

    def state(self, now: float) -> str:
        """Return "closed", "open" or "half_open" at monotonic time `now` (seconds)."""
        if not self.until:
            return "closed"
        return "open" if now < self.until else "half_open"

    def allows(self, now: float) -> bool:
        """Whether an attempt may start now. The caller of an allowed half-open attempt is the trial: see `began`."""
        if not self.until:
            return True
        return now >= self.until and not self._trial

    def began(self, now: float) -> None:
        """An attempt starts; in half-open state it is the trial and others wait for its end."""
        if self.until and now >= self.until:
            self._trial = True

    def succeeded(self) -> None:
        self.failures = self.opened = 0
        self.until = 0.0
        self._trial = False

    def abandoned(self) -> None:
        """The attempt said nothing about the deployment (the caller left): a trial may be made anew."""
        self._trial = False

    def failed(self, now: float, retry_after: float | None = None) -> None:
        """Count a failure. `retry_after` (seconds), as the vendor states it, opens for that long at once."""
        settings = self._settings
        self.failures += 1
        pause = 0.0
        if self._trial or self.failures >= settings.failures:
            pause = min(settings.cooldown * 2**self.opened, settings.longest)
            self.opened += 1
            self._trial = False
        if retry_after:
            pause = max(pause, min(retry_after, settings.longest))
        if pause:
            self.until = now + pause
