"""Deployments that need no configuration: the embedded models, and vendors whose keys are in the environment."""

from __future__ import annotations

from freehold.app.environment import Environment
from freehold.app.settings import Deployment

CHAT, EMBEDDINGS = "smollm2-135m-instruct", "all-minilm-l6-v2"
"""Catalogue names of the two embedded models."""


def kinds() -> frozenset[str]:
    """Return the kinds of deployment there are."""
    return frozenset({"openai", "azure", "llamacpp"})


def discover(environment: Environment) -> tuple[dict[str, Deployment], dict[str, str]]:
    """Return the deployments of a house without a file, and the origins of what is no default in them."""
    return {name: Deployment(kind="llamacpp", model=name) for name in (CHAT, EMBEDDINGS)}, {}


def vendor_rows() -> list[tuple[str, str, str]]:
    """Return the variable, deployment and endpoint of each vendor that is found by its key, for the reference page."""
    return []
