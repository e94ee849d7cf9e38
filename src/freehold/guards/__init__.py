"""Recognisers of what should not be kept. Refuses to know who calls and what is done with a finding."""

from __future__ import annotations

from freehold.guards.redact import redact_json, redact_text

__all__ = ["redact_json", "redact_text"]
