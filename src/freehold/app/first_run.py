"""What `up` does before and when the door opens: folders, models, first key, and the lines that say how to go on."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shlex
import stat
from pathlib import Path
from typing import Any, Protocol

import msgspec

from freehold.app.cli.output import Talk
from freehold.app.environment import Environment
from freehold.app.settings import Config
from freehold.core.errors import ConfigError, EngineError

FIRST_KEY = "first"


class Welcome(msgspec.Struct, frozen=True):
    """What the first lines say. `key` is the secret of the key that was just made, None when there are keys already;
    `page` the address of the page, which holds a code as long as nobody owns the server."""

    url: str
    model: str | None
    key: str | None = None
    key_id: str | None = None
    page: str | None = None


def prepare(config: Config, environment: Environment, talk: Talk, *, serving: bool = True) -> None:
    """Have folders and models in place. What fails leaves nothing half done: a second run goes on where it stopped.

    Raises FreeholdError before anything is fetched when one is `serving` after that and cannot.
    """
    from freehold.app.rehearsal import rehearse
    from freehold.app.serve import bind, only_one

    folders(config)
    rehearse(config)
    if serving:
        os.close(only_one(config.run))
        bind(config).close()
    asyncio.run(_models(config, environment, talk))


class Folders(Protocol):
    """Whoever knows the two folders."""

    @property
    def data(self) -> Path: ...
    @property
    def run(self) -> Path: ...


def folders(house: Folders) -> None:
    """Make the data and run folders, for this user alone. Raises ConfigError when that cannot be."""
    for folder in (house.data, house.run):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = folder.stat()
        except FileExistsError as e:
            raise ConfigError(f"{folder} is a file, not a folder", hint="move it away") from e
        except OSError as e:
            raise ConfigError(
                f"{folder} cannot be made: {e.strerror}",
                hint="start in a folder that you may write to, or name a configuration in one with --config",
            ) from e
        if found.st_uid != os.getuid() and os.getuid() != 0:
            raise ConfigError(f"{folder} belongs to another user", hint="remove it, or start elsewhere")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ConfigError(f"{folder} cannot be written to", hint="check its owner and permissions")
        if stat.S_IMODE(found.st_mode) & 0o077:
            folder.chmod(0o700)


async def _models(config: Config, environment: Environment, talk: Talk) -> None:
    from freehold.app import pulling

    models = pulling.configured(config)
    if models and importlib.util.find_spec("xllamacpp") is None:
        raise EngineError(
            "one's own models need the package xllamacpp",
            hint="pip install 'freehold[local]', or configure vendors' deployments alone",
        )
    how = pulling.settings(config, environment)
    for model in models:
        await pulling.bring(config, model, how, talk)


async def first_key(config: Config) -> tuple[str, str] | None:
    """Make the first key when there is no key that works; return its id and secret. Raises StoreError."""
    from freehold import access, store
    from freehold.app.cli.stored import record
    from freehold.core.clock import now_ns

    opened = await store.open(config.store_url)
    try:
        keys = await access.list_keys(opened)
        if any(k.revoked_at is None and (k.expires_at is None or k.expires_at > now_ns()) for k in keys):
            return None
        taken = {k.name for k in keys if k.revoked_at is None}
        name = FIRST_KEY if FIRST_KEY not in taken else f"{FIRST_KEY}-{len(keys) + 1}"
        key, secret = await access.create(opened, name, limits=config.access.default_limits)
        await record(opened, "key.create", key=key.id, name=name)
        return key.id, secret
    finally:
        await opened.close()


async def greet(config: Config) -> Welcome:
    """Make the first key if need be and return what to say. Last of all, so that a key that is made is also shown."""
    made = await first_key(config)
    key_id, key = made if made is not None else (None, None)
    return Welcome(base_url(config), chat_model(config), key, key_id, await page(config))


async def page(config: Config) -> str:
    """Return the address of the page; until there is an owner it carries the code of the first visit."""
    from freehold import store
    from freehold.app.people import setup_code

    opened = await store.open(config.store_url)
    try:
        code = await setup_code(opened, config.run)
    finally:
        await opened.close()
    address = config.signin.url or base_url(config)
    return f"{address.rstrip('/')}/" + (f"#setup={code}" if code else "")


def base_url(config: Config) -> str:
    """Return the address under which this machine reaches the door."""
    host, port = config.address
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    scheme = "https" if config.server.tls is not None else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def chat_model(config: Config) -> str | None:
    """Return the first public name that stands for a model that chats, as far as that is known."""
    from freehold.app import pulling

    known = pulling.catalogue(config)
    for name, route in config.all_routes().items():
        for target in route.deployments:
            deployment = config.deployments[target.name]
            declared = deployment.capabilities
            if declared is None and deployment.kind == "llamacpp" and deployment.model in known.models:
                declared = tuple(known.models[deployment.model].capabilities)
            if deployment.model != "*" and (declared is None or "chat" in declared):
                return name
    return None


def facts(welcome: Welcome) -> dict[str, Any]:
    """Return the same for machines."""
    return msgspec.to_builtins(welcome)  # type: ignore[no-any-return]


def text(welcome: Welcome, ca: Path | None = None) -> str:
    """Return what is printed when the door is open: address, key, and two first calls that work as pasted."""
    url = welcome.url
    first = "   (the first visit makes the owner)" if "#" in (welcome.page or "") else ""
    lines = [f"Freehold serves on {url}", "", f"  page  {welcome.page or url + '/'}{first}", f"  API   {url}/v1"]
    if welcome.key is not None:
        lines.append(f"  key   {welcome.key}   (shown this once; `freehold keys create NAME` makes another)")
    else:
        lines.append("  key   as shown when it was made; `freehold keys create NAME` makes another")
    if welcome.model is None:
        return "\n".join(lines)
    body = f'{{"model": "{welcome.model}", "messages": [{{"role": "user", "content": "Say hello."}}]}}'
    key = welcome.key or "$FREEHOLD_KEY"
    trust = f" --cacert {shlex.quote(str(ca))}" if ca is not None else ""
    lines += ["", "A first call" + ("" if welcome.key else ", with your key in FREEHOLD_KEY") + ":", ""]
    lines.append(
        f'curl{trust} {url}/v1/chat/completions -H "Authorization: Bearer {key}"'
        f" -H 'Content-Type: application/json' -d '{body}'"
    )
    lines += ["", "The same in Python, with nothing to install (every OpenAI client works too):", ""]
    lines += _snippet(url, body, welcome.key, ca)
    return "\n".join(lines)


def _snippet(url: str, body: str, key: str | None, ca: Path | None) -> list[str]:
    imports = ["json"] + ([] if key else ["os"]) + (["ssl"] if ca else []) + ["urllib.request"]
    bearer = f'"Bearer {key}"' if key else '"Bearer " + os.environ["FREEHOLD_KEY"]'
    context = f", context=ssl.create_default_context(cafile={str(ca)!r})" if ca else ""
    return [
        f"import {', '.join(imports)}",
        f"call = urllib.request.Request({url + '/v1/chat/completions'!r},",
        f'    headers={{"Authorization": {bearer}, "Content-Type": "application/json"}},',
        f"    data=json.dumps({body}).encode())",
        f"answer = json.load(urllib.request.urlopen(call{context}))",
        'print(answer["choices"][0]["message"]["content"])',
    ]
