"""Deployments that need no configuration: the embedded models, and vendors whose keys are in the environment."""

from __future__ import annotations

from pathlib import Path

from freehold.app.config import Reader, join
from freehold.app.environment import Environment
from freehold.app.settings import Deployment

CHAT, EMBEDDINGS = "smollm2-135m-instruct", "all-minilm-l6-v2"
"""Catalogue names of the two embedded models."""


def kinds() -> frozenset[str]:
    """Return the kinds of deployment there are, vendors' names among them."""
    from freehold.providers import KINDS, vendors

    return frozenset({*KINDS, *vendors()})


def discover(environment: Environment) -> tuple[dict[str, Deployment], dict[str, str]]:
    """Return the deployments of a house without a file, and the origins of what is no default in them."""
    from freehold import providers

    reader = Reader(Path(), environment)
    deployments = {name: Deployment(kind="llamacpp", model=name) for name in (CHAT, EMBEDDINGS)}
    origins: dict[str, str] = {}
    for name, table in providers.discover(environment.child()).items():
        where = join("deployments", name)
        found = reader.table(Deployment, table, where)
        if found is not None and found.key is not None:
            deployments[name] = found
            variable = found.key.source.replace(":", " ", 1)
            origins |= {key: variable for key in reader.origins if key.startswith(where + ".")}
    return deployments, origins


def vendor_rows() -> list[tuple[str, str, str]]:
    """Return the variables, deployment and endpoint of each vendor that is found by its key, for the reference page."""
    from freehold.providers import vendors

    rows = [
        ("`, `".join(row.env), name, row.base_url)
        for name, row in sorted(vendors().items())
        if row.found and row.env and "{" not in row.base_url
    ]
    return [*rows, ("AZURE_OPENAI_API_KEY` with `AZURE_OPENAI_ENDPOINT", "azure", "as AZURE_OPENAI_ENDPOINT says")]
