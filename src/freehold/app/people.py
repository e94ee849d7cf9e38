"""What the configuration says of people, as the console wants it, and the code of the first visit. Refuses to know
what signing in is."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from freehold import __version__
from freehold.app.config import Reader, join
from freehold.app.settings import Config, Signin

if TYPE_CHECKING:
    from freehold.console import Settings
    from freehold.store import Store

SETUP = "setup-code"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def settings(config: Config) -> Settings:
    """Return what the console is told."""
    from freehold.console import Provider, Settings

    providers = tuple(
        Provider(
            name=name,
            title=each.title or name,
            issuer=each.issuer,
            client_id=each.client_id,
            client_secret=each.client_secret.value if each.client_secret is not None else None,
            scopes=each.scopes,
            allow=tuple(allowed.lower() for allowed in each.allow),
            role=each.role,
            role_claim=each.role_claim,
            roles=tuple(each.roles.items()),
            ca=str(each.ca) if each.ca is not None else None,
        )
        for name, each in config.signin.oidc.items()
    )
    return Settings(
        password=config.signin.password,
        session_seconds=config.signin.session_days * 86400.0,
        providers=providers,
        url=config.signin.url,
        tls=config.server.tls is not None,
        trusted_proxies=config.server.trusted_proxies,
        default_limits=config.access.default_limits,
        setup_file=setup_file(config.run),
        version=__version__,
    )


def setup_file(run: Path) -> Path:
    """Return where the code of the first visit is kept; `run` is the run folder, for this user alone."""
    return run / SETUP


async def setup_code(store: Store, run: Path) -> str | None:
    """Return the code with which the first visit may be made from elsewhere, made if need be; None once there is a
    member. Raises StoreError, OSError."""
    from freehold.access import members

    path = setup_file(run)
    if await members.any_member(store):
        path.unlink(missing_ok=True)
        return None
    with suppress(FileNotFoundError):
        kept = path.read_text("ascii").strip()
        if kept:
            return kept
        path.unlink()
    code = secrets.token_urlsafe(16)
    with suppress(FileExistsError):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(code + "\n")
        return code
    return path.read_text("ascii").strip()


def check_signin(signin: Signin, reader: Reader) -> None:
    """Note what is wrong with `[signin]`."""
    if signin.url and not _address(signin.url, ""):
        reader.note("signin.url", f"{signin.url!r} is no address of a page", 'e.g. "https://ai.example.org"')
    if not signin.password and not signin.oidc:
        reader.note("signin.password", "nobody could sign in", "leave it on, or add a provider: [signin.oidc.NAME]")
    for name, each in signin.oidc.items():
        where = join("signin.oidc", name)
        if not _NAME.fullmatch(name):
            reader.note(where, "is no name for a provider", "use lower-case letters, digits and hyphens, at most 32")
        if not _address(each.issuer, "/"):
            hint = "https://..., or http:// on this machine alone"
            reader.note(join(where, "issuer"), f"{each.issuer!r} is no issuer's address", hint)
        for index, allowed in enumerate(each.allow):
            if allowed != "*" and not re.fullmatch(r"([^@\s*]+@)?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", allowed):
                reader.note(
                    f"{where}.allow[{index}]",
                    f"{allowed!r} is neither a domain nor an address",
                    'write "example.org", "ann@example.org", or "*" for whoever the provider lets in',
                )
        if each.roles and not each.role_claim:
            reader.note(join(where, "role_claim"), "is missing", "name the claim whose values `roles` translates")
        if each.ca is not None and not os.access(each.ca, os.R_OK):
            reader.note(join(where, "ca"), f"{each.ca} cannot be read", "check the path and its permissions")


def _address(url: str, path: str) -> bool:
    """Whether `url` is that of a place, with a path where `path` says that one may be, over TLS or on this machine."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    plain = parts.scheme == "http" and (parts.hostname in _LOOPBACK or not path)
    sound = bool(parts.hostname) and parts.username is None and not parts.query and not parts.fragment
    return sound and (plain or parts.scheme == "https") and (bool(path) or parts.path in ("", "/")) and url.isascii()
