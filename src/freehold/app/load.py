"""From a file and an environment to the Config in force, or to all problems at once. Knows how tables hang together."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from freehold.app import environment as env
from freehold.app import options, terms, tooling
from freehold.app.config import Problems, Reader, Secret, join, parse, suggest
from freehold.app.contract_files import included
from freehold.app.discovery import discover, kinds
from freehold.app.known import models as known_models
from freehold.app.people import check_signin
from freehold.app.place import check_store, locate, store_url
from freehold.app.settings import Config, Deployment, File, Route, Server, ToolServer
from freehold.core.errors import ConfigError
from freehold.engines.catalogue import Catalogue


def load(
    path: str | None = None,
    environment: env.Environment | None = None,
    cwd: Path | None = None,
    listen: str | None = None,
) -> Config:
    """Return the configuration: `path`, or FREEHOLD_CONFIG, ./freehold.toml, the user's own file, or the defaults.

    `listen` (--listen) goes before `[server] listen`.
    Raises ConfigError; for a file that was read it is `Problems`, which lists all that is wrong.
    """
    environment = env.read() if environment is None else environment
    cwd = Path.cwd() if cwd is None else cwd
    place = locate(path, environment, cwd)
    reader = Reader(place.base, environment)
    raw = parse(place.path) if place.path is not None else {}
    if listen is not None and isinstance(raw.get("server", {}), dict):
        raw["server"] = {**raw.get("server", {}), "listen": listen}
    tables = reader.table(File, raw, "") or File()
    if listen is not None:
        reader.origins["server.listen"] = "--listen"
    deployments, routes = tables.deployments, tables.routes
    if not raw.get("deployments"):
        deployments, found = discover(environment)
        reader.origins.update(found)
    files = included(tables.contracts, reader)
    register = terms.register(files, reader)
    address = _address(tables.server, reader)
    _check_deployments(deployments, tables.engines.catalogue, reader)
    tools = tooling.checked(tables.tools, reader)
    _check_routes(routes, {*deployments, *(raw.get("deployments") or ())}, reader)
    _check_files(tables, deployments, reader)
    _check_limits(tables, reader)
    check_signin(tables.signin, reader)
    terms.check(tables, deployments, register, reader)
    if reader.problems:
        raise Problems(place.path, reader.problems)
    store = msgspec.structs.replace(tables.store, url=store_url(tables.store, place.base, place.data, reader.origins))
    made: dict[str, Any] = {
        "store": store,
        "policies": terms.named(tables.policies),
        "deployments": deployments,
        "tools": tools,
    }
    config = Config(
        **msgspec.structs.asdict(tables) | made,
        path=place.path,
        base=place.base,
        data=place.data,
        run=place.run,
        home=place.home,
        contract_files=files,
        register=register,
        address=address,
        origins=reader.origins,
        hash="",
    )
    return digest(config)


def digest(config: Config) -> Config:
    """Return `config` with the hash of its effective values."""
    versions = [(version.contract.id, version.hash) for version in config.register.versions]
    said = msgspec.json.encode([effective(config), versions], order="deterministic")
    found = hashlib.sha256(said).hexdigest()
    return msgspec.structs.replace(config, hash=found)


def effective(config: Config) -> dict[str, Any]:
    """Return every value in force by its dotted name, as plain JSON; a secret as its source (`env:NAME`)."""
    parts = {field.encode_name: getattr(config, field.name) for field in msgspec.structs.fields(File)}
    return dict(_flat(parts, ""))


def defaults(config: Config) -> dict[str, Any]:
    """Return what `effective` would say of the same deployments and routes if the file said nothing of them."""
    bare = {name: Deployment(kind="") for name in config.deployments}
    routes = {name: Route(deployments=()) for name in config.routes}
    tools = {name: ToolServer(kind="http") for name in config.tools}
    file = File(deployments=bare, routes=routes, tools=tools, **terms.bare(config))
    return dict(_flat({field.encode_name: getattr(file, field.name) for field in msgspec.structs.fields(File)}, ""))


def _flat(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, msgspec.Struct):
        value = {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, dict) and (value or not where):
        for key, item in value.items():
            yield from _flat(item, join(where, key))
    else:
        yield where, _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.source
    if isinstance(value, (Path, Decimal)):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _address(server: Server, reader: Reader) -> tuple[str, int]:
    where = "server.listen"
    host, colon, port = server.listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        reader.note(where, f"{server.listen!r} is no address", 'write "127.0.0.1:8080", "[::1]:8080" or "0.0.0.0:443"')
        return "127.0.0.1", 0
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
        if not loopback:
            reader.note(
                where, f"{host!r} is no IP address", "a name may mean several addresses; write the one to listen on"
            )
    _check_proxies(server.trusted_proxies, loopback, reader)
    _check_origins(server.cors_origins, reader)
    guarded = server.tls is not None or server.trusted_proxies
    if not loopback and not guarded and not any(p.where.startswith("server.t") for p in reader.problems):
        reader.note(
            where,
            f"{host} can be reached from other machines, and keys would travel in clear text",
            'add tls = { cert = "cert.pem", key = "key.pem" } under [server], or name the proxy that ends TLS: '
            'trusted_proxies = ["10.0.0.2"]',
        )
    return host, int(port)


def _check_proxies(proxies: tuple[str, ...], loopback: bool, reader: Reader) -> None:
    where = "server.trusted_proxies"
    networks: list[Any] = []
    for index, proxy in enumerate(proxies):
        try:
            networks.append(ipaddress.ip_network(proxy, strict=False))
        except ValueError:
            reader.note(f"{where}[{index}]", f"{proxy!r} is no address or network", 'e.g. "10.0.0.0/8"')
    for version in (4, 6):
        whole = ipaddress.collapse_addresses(n for n in networks if n.version == version)
        if not loopback and any(network.prefixlen == 0 for network in whole):
            reader.note(
                where,
                f"cover all of IPv{version}: every caller could name itself any address, in clear text",
                'name the proxy that ends TLS, e.g. "10.0.0.2"',
            )


def _check_origins(origins: tuple[str, ...], reader: Reader) -> None:
    for index, origin in enumerate(origins):
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            reader.note(
                f"server.cors_origins[{index}]",
                f"{origin!r} is no web origin",
                'write scheme://host[:port] in lower case and without a path, e.g. "https://app.example.org", or "*"',
            )


_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")


def _check_deployments(deployments: dict[str, Deployment], own: Path | None, reader: Reader) -> None:
    from freehold.contracts import read_price

    known = kinds()
    models: Catalogue | None = None
    wanted = own is not None or any(deployment.kind == "llamacpp" for deployment in deployments.values())
    if wanted and (own is None or os.access(own, os.R_OK)):
        try:
            models = known_models(own)
        except ConfigError as e:
            reader.note("engines.catalogue", e.message, e.hint)
    for name, deployment in deployments.items():
        where = join("deployments", name)
        if deployment.kind not in known:
            reader.note(join(where, "kind"), f"no such kind: {deployment.kind!r}", suggest(deployment.kind, known))
            continue
        options.read(deployment, where, reader)
        if deployment.kind in ("llamacpp", "command") and deployment.endpoint is not None:
            reader.note(
                join(where, "endpoint"),
                f"kind {deployment.kind!r} has none, we start the server ourselves",
                'for one that runs already write kind = "openai"',
            )
        if deployment.kind == "azure" and deployment.endpoint is None:
            reader.note(join(where, "endpoint"), "is missing", 'e.g. endpoint = "https://NAME.openai.azure.com"')
        if deployment.model is None:
            reader.note(join(where, "model"), "is missing", 'name the model to send; "*" sends what the client names')
        elif deployment.kind == "llamacpp" and models is not None:
            _told(reader, join(where, "model"), partial(models.find, deployment.model, base=reader.base))
        if deployment.price is not None:
            _told(reader, join(where, "price"), partial(read_price, deployment.price, where="price"))
        for key in ("endpoint", "proxy"):
            _check_url(getattr(deployment, key), join(where, key), key == "endpoint", reader)


def _check_url(url: str | None, where: str, vendor: bool, reader: Reader) -> None:
    if url is None or (vendor and "/" not in url):
        return
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https", "unix") and bool(parts.hostname or parts.path)
        _ = parts.port
    except ValueError:
        sound = False
    if not sound:
        reader.note(where, f"{url!r} is no URL", "e.g. https://host/v1")
    elif parts.username or parts.password:
        reader.note(where, "must not hold a user name or password", 'use key = { env = "NAME" }')


def _check_routes(routes: dict[str, Route], deployments: set[str], reader: Reader) -> None:
    for name, route in routes.items():
        where = join("routes", name)
        if None in route.deployments:
            continue  # one is of another kind, which is noted already
        if not route.deployments and not route.fallback:
            reader.note(join(where, "deployments"), "is empty", "name at least one deployment")
        named = [(f"deployments[{i}]", target.name) for i, target in enumerate(route.deployments)]
        named += [(f"fallback[{i}]", target) for i, target in enumerate(route.fallback)]
        for place, target in named:
            if target not in deployments:
                reader.note(f"{where}.{place}", f"no deployment is called {target!r}", suggest(target, deployments))
        targets = [target.name for target in route.deployments]
        for twice in sorted({target for target in targets if targets.count(target) > 1}):
            reader.note(join(where, "deployments"), f"{twice!r} stands there twice", "add the weights up")
        if route.deployments and not any(t.weight for t in route.deployments) and not route.fallback:
            reader.note(join(where, "deployments"), "all weights are 0 and there is no fallback", "give one a weight")


def _check_files(tables: File, deployments: dict[str, Deployment], reader: Reader) -> None:
    named: list[tuple[str, Path]] = []
    if tables.server.tls is not None:
        named += [("server.tls.cert", tables.server.tls.cert), ("server.tls.key", tables.server.tls.key)]
    if tables.engines.catalogue is not None:
        named.append(("engines.catalogue", tables.engines.catalogue))
    named += [(join(join("deployments", name), "ca"), d.ca) for name, d in deployments.items() if d.ca is not None]
    for where, path in named:
        if not os.access(path, os.R_OK):
            reader.note(where, f"{path} cannot be read", "check the path and its permissions")
    check_store(tables.store.url, reader)
    if tables.store.url.startswith("postgres") and find_spec("asyncpg") is None:
        reader.note("store.url", "PostgreSQL needs the package asyncpg", "pip install 'freehold[postgres]'")


def _check_limits(tables: File, reader: Reader) -> None:
    if tables.access.default_limits:
        from freehold.access import parse_all

        _told(reader, "access.default_limits", lambda: parse_all(tables.access.default_limits, "key:default"))


def _told(reader: Reader, where: str, look: Callable[[], object]) -> None:
    """Note what a room says against a value of its own."""
    try:
        look()
    except ConfigError as e:
        reader.note(where, e.message, e.hint)


def check_routes_exist(config: Config, names: Iterable[str]) -> None:
    """Raise ConfigError for a public name that no route or deployment has."""
    known = config.all_routes()
    for name in names:
        if name not in known and name.removesuffix("/*") not in known:
            raise ConfigError(f"no route is called {name!r}", hint=suggest(name, known))
