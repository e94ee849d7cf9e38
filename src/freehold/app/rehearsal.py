"""Builds what `serve` builds of a configuration, and opens nothing: what `check` finds good does start."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from freehold.app.config import Problem, Problems
from freehold.app.settings import Config, Deployment
from freehold.core.errors import FreeholdError


def rehearse(config: Config) -> None:
    """Build the routing table, the providers, the commands of engines and the certificate. Raises Problems."""
    from freehold.app import wiring
    from freehold.app.tls import server_context

    acts: list[tuple[str, Callable[[], object]]] = [("", lambda: wiring.tables(config))]
    if config.server.tls is not None:
        acts.append(("server.tls", lambda: server_context(config.server.tls)))
    for name, written in config.deployments.items():
        if written.kind == "command":
            where = f"deployments.{name}.options.command"
            acts.append((where, partial(_command, name, written)))
    problems: list[Problem] = []
    for where, act in acts:
        try:
            act()
        except FreeholdError as e:
            problems.append(Problem(where, e.message, e.hint))
    if problems:
        raise Problems(config.path, problems)


def _command(name: str, written: Deployment) -> None:
    from freehold.app import options
    from freehold.engines.command import prepare

    prepare(options.command(name, written), Path("engine.sock"))
