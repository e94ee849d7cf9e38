"""Fixtures of this room's tests."""

from __future__ import annotations

from tests.models import chat_model, embedding_model

__all__ = ["chat_model", "embedding_model"]
