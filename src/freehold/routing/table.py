"""The frozen tables that a choice is made from: deployments and routes. Refuses to know providers, keys and prices."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import force_setattr, replace

from freehold.wire.client import Timeouts

WILDCARD = "*"
"""As a deployment's model: whatever the client names after `deployment/`."""


class Deployment(msgspec.Struct, frozen=True):
    """A model that one can reach: maker x seller x host, under one contract.

    `model` is the name that is sent. `capabilities` are the declared ones; None means unknown, and is not held against
    the deployment. `max_inflight` bounds the attempts under way to it per worker; 0 is no bound. `retries` counts
    further tries at this deployment before the first byte. `engine` is the name of our own engine behind it, if one is.
    `whole_timeouts` are made of `timeouts`, for answers that are not streamed: their first byte comes when the model
    has done all its work, so that only `total` bounds it.
    """

    name: str
    kind: str
    model: str
    maker: str = ""
    seller: str = ""
    host: str = ""
    chips: str = ""
    region: str = ""
    contract: str = ""
    capabilities: frozenset[str] | None = None
    context: int | None = None
    max_output: int | None = None
    timeouts: Timeouts = Timeouts()
    retries: int = 2
    max_inflight: int = 0
    engine: str = ""
    whole_timeouts: Timeouts = Timeouts()

    def __post_init__(self) -> None:
        whole = replace(self.timeouts, first_byte=self.timeouts.total)
        force_setattr(self, "whole_timeouts", whole)  # frozen; made once here and not with each call

    @property
    def wildcard(self) -> bool:
        return self.model == WILDCARD


class Target(msgspec.Struct, frozen=True):
    """One deployment of a route with its share of the calls (relative weight; 0 takes none)."""

    name: str
    weight: int = 1


class Route(msgspec.Struct, frozen=True):
    """A public model name: weighted targets, then the fallbacks in order. `on_loss` is its own policy ("strict" or
    "warn") for members that a target cannot honour; None leaves it to the deployment."""

    name: str
    targets: tuple[Target, ...]
    fallback: tuple[str, ...] = ()
    on_loss: Literal["strict", "warn"] | None = None


class Table(msgspec.Struct, frozen=True):
    """All deployments and routes in force, by name."""

    deployments: dict[str, Deployment]
    routes: dict[str, Route]

    def find(self, asked: str) -> tuple[Route, str] | None:
        """Return the route for the public name `asked` and the model name below a wildcard ("" for a plain route)."""
        route = self.routes.get(asked)
        if route is not None:
            return route, ""
        prefix, slash, rest = asked.partition("/")
        if slash and rest:
            route = self.routes.get(prefix)
            if route is not None and all(self.deployments[t.name].wildcard for t in route.targets):
                return route, rest
        return None
