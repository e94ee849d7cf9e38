"""Configuration to the tables that a Snapshot is made of: deployments with what is known of them, providers, prices."""

from __future__ import annotations

from typing import Any

import msgspec

from freehold.access import CURRENCY
from freehold.app import options
from freehold.app.known import models as known_models
from freehold.app.settings import Config
from freehold.app.settings import Deployment as Written
from freehold.app.settings import Route as WrittenRoute
from freehold.contracts import OWN_COMPUTE, Price, read_price
from freehold.contracts.binding import OWN, Bonds, bind
from freehold.core.clock import today
from freehold.core.errors import ConfigError
from freehold.engines.catalogue import Catalogue
from freehold.providers import Provider, Settings, build, vendor
from freehold.routing import BreakerSettings, Deployment, Route, Table, Target
from freehold.wire.client import Timeouts

OWN_KINDS = ("llamacpp", "command")
"""Kinds of deployment whose engine we start."""


def tables(config: Config) -> tuple[Table, dict[str, Provider], dict[str, Price]]:
    """Return the routing table, the providers and the deployments' own prices. Raises ConfigError."""
    catalogue = known_models(config.engines.catalogue)
    deployments, providers, prices = {}, {}, {}
    engines: dict[str, Written] = {}
    for name, written in config.deployments.items():
        known = _known(config, written, catalogue)
        engine = engine_name(config, name, written) if written.kind in OWN_KINDS else ""
        if engine and engines.setdefault(engine, written).context != written.context:
            raise ConfigError(
                f"deployments.{name}.context: another deployment of the model {engine} states another.",
                hint="one engine serves both; write the same context, or none, in each",
            )
        deployments[name] = _deployment(name, written, known, engine)
        providers[name] = build(_settings(config, name, written, known))
        if written.price is not None:
            prices[name] = _price(name, written.price)
        elif written.kind == "llamacpp":
            prices[name] = OWN_COMPUTE
    routes = {name: _route(name, route) for name, route in config.all_routes().items()}
    return Table(deployments, routes), providers, prices


def engine_name(config: Config, name: str, written: Written) -> str:
    """Return the name of the engine behind deployment `name`: its model's, or its own where we only know a command."""
    if written.kind == "command" or written.model is None:
        return name
    return known_models(config.engines.catalogue).find(written.model, base=config.base).name


def bonds(config: Config, table: Table) -> Bonds:
    """Return what contracts and the organisation's rules mean for each deployment, as of today."""
    return bind(table.deployments.values(), config.register, config.organisation, today())


def breaker(config: Config) -> BreakerSettings:
    said = config.server.breaker
    return BreakerSettings(said.failures, said.cooldown, said.longest)


def _price(name: str, written: dict[str, Any]) -> Price:
    price = read_price(written, where=f"deployments.{name}.price")
    if price.currency != CURRENCY:
        raise ConfigError(
            f"deployments.{name}.price.currency: {price.currency}, but budgets are counted in {CURRENCY}.",
            hint=f"state the price in {CURRENCY}, at the rate that you pay; nothing here converts currencies",
        )
    return price


def _known(config: Config, written: Written, catalogue: Catalogue) -> dict[str, Any]:
    """Return what the catalogue or the vendor table says of a deployment; the configuration goes before it."""
    if written.kind == "llamacpp" and written.model is not None:
        model = catalogue.find(written.model, base=config.base)
        can = model.capabilities or None
        return {
            "model": model.name,
            "maker": model.maker,
            "seller": OWN,
            "host": OWN,
            "capabilities": can,
            "context": min(model.context, config.engines.max_context) if model.context else None,
        }
    row = vendor(written.endpoint or "") or vendor(written.kind)
    if row is None:
        microsoft = {"seller": "microsoft", "host": "microsoft"}
        return {"azure": microsoft, "contentsafety": {**microsoft, "maker": "microsoft"}}.get(written.kind, {})
    return {"maker": row.maker, "seller": row.seller, "host": row.host, "region": row.region}


def _deployment(name: str, written: Written, known: dict[str, Any], engine: str) -> Deployment:
    own = msgspec.structs.asdict(written)
    said = {k: own[k] for k in _SAID if own[k] is not None}
    merged = {**{k: v for k, v in known.items() if v}, **said}
    if written.capabilities is not None:
        merged["capabilities"] = frozenset(written.capabilities)
    if known.get("model"):
        merged["model"] = known["model"]
    if "model" not in merged:
        raise ConfigError(
            f"deployments.{name}: no model is named.",
            hint='write model = "the name that is sent"; model = "*" takes whatever the client names after the slash',
        )
    timeouts = Timeouts(**msgspec.structs.asdict(written.timeout))
    return Deployment(
        name=name,
        kind=written.kind,
        timeouts=timeouts,
        retries=written.retries,
        max_inflight=written.max_inflight,
        engine=engine,
        **merged,
    )


_SAID = ("model", "maker", "seller", "host", "chips", "region", "contract", "context", "max_output")


def _settings(config: Config, name: str, written: Written, known: dict[str, Any]) -> Settings:
    told = {
        "name": name,
        "kind": written.kind,
        "model": known.get("model") or written.model,
        "endpoint": written.endpoint,
        "key": written.key.value if written.key is not None else None,
        "api_version": written.api_version,
        "on_loss": config.server.on_loss,
        "unsupported": frozenset(written.unsupported),
        "proxy": written.proxy,
        "ca": str(written.ca) if written.ca is not None else None,
        "verify": written.verify,
    }
    # Those of a command are for the engines, who start it.
    given = {} if written.kind in OWN_KINDS else options.values(name, written)
    try:
        return msgspec.convert({k: v for k, v in (told | given).items() if v is not None}, Settings)
    except msgspec.ValidationError as e:
        raise ConfigError(f"deployments.{name}: {e}.", hint="docs/reference/settings.md lists what is taken") from e


def _route(name: str, written: WrittenRoute) -> Route:
    targets = tuple(Target(t.name, t.weight) for t in written.deployments)
    fallback = written.fallback
    if written.strategy == "ordered":
        fallback = (*(t.name for t in targets[1:]), *fallback)
        targets = (Target(targets[0].name, 1),)
    return Route(name, targets, fallback, written.on_loss)
