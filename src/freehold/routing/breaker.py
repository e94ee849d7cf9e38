"""A circuit breaker per deployment. Knows counts and times it is given; has no clock of its own."""

from __future__ import annotations

import msgspec


class BreakerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a deployment that fails is left alone, and for how long."""

    failures: int = 5  # failures in a row that open the circuit
    cooldown: float = 10.0  # seconds that it stays open the first time; doubles with each failed trial
    longest: float = 120.0  # seconds that it stays open at most


class Breaker:
    """Closed: calls pass. Open: none until `until`. Half-open: one trial passes; it closes or opens it again.

    Calls that were under way when the circuit opened say nothing new: what fails after that neither counts nor
    lengthens the pause. An attempt that starts while the circuit is not closed gets a number from `began` and hands it
    back with its end (others hand back 0), so that only the trial ends a trial.

    A vendor's Retry-After alone asks for patience: the deployment is tried last, but not refused (`wait` is 0).
    """

    __slots__ = ("_attempts", "_settings", "_strict", "_trial", "failures", "opened", "until")

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._attempts = 0
        self._trial = 0
        self._strict = False
        self.failures = 0
        self.opened = 0
        self.until = 0.0

    def state(self, now: float) -> str:
        """Return "closed", "open" or "half_open" at monotonic time `now` (seconds)."""
        if not self.until:
            return "closed"
        return "open" if now < self.until else "half_open"

    def allows(self, now: float) -> bool:
        """Whether an attempt may start now. In half-open state the first one that does is the trial."""
        return not self.until or (now >= self.until and not self._trial)

    def wait(self, now: float) -> float:
        """Return the seconds for which no call may be made; 0 when one may."""
        if not self.until or not self._strict:
            return 0.0
        return self.until - now if now < self.until else 1.0 if self._trial else 0.0

    def began(self, now: float) -> int:
        """An attempt starts; return its number. In half-open state it is the trial and others wait for its end."""
        self._attempts += 1
        if self.until and now >= self.until and not self._trial:
            self._trial = self._attempts
        return self._attempts

    def succeeded(self, attempt: int) -> None:
        """Attempt number `attempt` went well. While the circuit is open that only counts for the trial."""
        if not self.until:
            self.failures = 0
        elif attempt and attempt == self._trial:
            self.failures = self.opened = self._trial = 0
            self.until = 0.0
            self._strict = False

    def abandoned(self, attempt: int) -> None:
        """The attempt said nothing about the deployment (the caller left): a trial may be made anew."""
        if attempt and attempt == self._trial:
            self._trial = 0

    def failed(self, attempt: int, now: float, retry_after: float | None = None) -> None:
        """Count a failure. `retry_after` (seconds), as the vendor states it, opens for that long at once."""
        settings = self._settings
        pause = 0.0
        if attempt and attempt == self._trial:
            self._trial = 0
            self.opened += 1
            pause = min(settings.cooldown * 2**self.opened, settings.longest)
        elif not self._strict:
            self.failures += 1
            if self.failures >= settings.failures:
                self._strict = True
                pause = min(settings.cooldown, settings.longest)
        if retry_after:
            pause = max(pause, min(retry_after, settings.longest))
        if pause:
            self.until = max(self.until, now + pause)
