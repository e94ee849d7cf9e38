"""Who is asking: cookies, tokens, and whether the request comes from our own page. Refuses to know passwords.

A change that comes with a cookie is taken only from our own page (Sec-Fetch-Site, or Origin) and with the session's
`x-freehold-csrf`. A token in `authorization` is sent by no page on its own, so it needs neither.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from freehold.access import RANKS, Member, Passwords, Session, Sessions
from freehold.console.providers import Provider
from freehold.core.errors import Forbidden, TooLarge, Unauthenticated
from freehold.ledger import Ledger
from freehold.store import Store
from freehold.wire.api import Access
from freehold.wire.exchange import Exchange
from freehold.wire.http import Headers

COOKIE = "freehold_session"
PUBLIC_BYTES = 65536
"""Longest body of somebody who is not signed in."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORWARDED = (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"x-forwarded-host", b"x-forwarded-proto", b"via")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says of people: plain values."""

    password: bool = True  # whether one may sign in with a password
    session_seconds: float = 14 * 86400.0  # how long a session lives unused
    providers: tuple[Provider, ...] = ()
    url: str = ""  # the page's address for others, e.g. "https://ai.example.org"; "": as each request says
    tls: bool = False  # whether this server itself speaks TLS
    trusted_proxies: tuple[str, ...] = ()  # networks whose forwarding headers are believed
    default_limits: tuple[str, ...] = ()  # of a new member's key
    setup_file: Path | None = None  # where the code of the first visit is kept
    version: str = ""


class Identity:
    """All that the rooms of sign-in share. `settings` may be replaced at any time."""

    def __init__(self, store: Store, ledger: Ledger, settings: Settings) -> None:
        self.store = store
        self.ledger = ledger
        self.passwords = Passwords()
        self.sessions = Sessions(store, 0)
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Put other settings in force."""
        self.settings = settings
        self.sessions.span = int(settings.session_seconds * 1e9)
        self._proxies = tuple(ipaddress.ip_network(each, strict=False) for each in settings.trusted_proxies)

    async def identify(self, exchange: Exchange, access: Access) -> Member | None:
        """Return who is asking; None for an endpoint that asks for nobody. Raises Unauthenticated or Forbidden."""
        bearer = exchange.headers.get(b"authorization", b"")
        by_token = bearer[:7].lower() == b"bearer "
        if exchange.method not in SAFE and (access == "public" or not by_token):
            self.check_origin(exchange)
        if access == "public":
            if len(exchange.body) > PUBLIC_BYTES:
                raise TooLarge("The request is too long.", hint=f"send at most {PUBLIC_BYTES} bytes")
            return None
        found = await self.session(exchange)
        if found is None:
            raise Unauthenticated(
                "You are not signed in, or no longer.", code="signin_required", hint="sign in at the page"
            )
        session, member = found
        if exchange.method not in SAFE and not by_token:
            shown = exchange.headers.get(b"x-freehold-csrf", b"")
            if not hmac.compare_digest(shown, session.csrf.encode()):
                raise Forbidden(
                    "This change does not come from the page that you are signed in at.",
                    code="csrf_failed",
                    hint="load the page again",
                )
        if RANKS[member.role] < RANKS[access]:
            raise Forbidden(
                f"This is for the role {access}; yours is {member.role}.",
                code="role_too_low",
                hint="ask an owner for another role",
            )
        return member

    async def session(self, exchange: Exchange) -> tuple[Session, Member] | None:
        """Return the session that a request belongs to, of a token or of a cookie, with its member."""
        bearer = exchange.headers.get(b"authorization", b"")
        if bearer[:7].lower() == b"bearer ":
            return await self.sessions.find(bearer[7:].strip(), "token")
        token = self.cookie(exchange, COOKIE)
        return await self.sessions.find(token, "browser") if token else None

    # -- cookies ------------------------------------------------------------------------------------------------------

    def cookie(self, exchange: Exchange, name: str) -> bytes:
        """Return a cookie of ours; b"" when there is none, or when several differ: then a neighbour of our domain has
        put one beside it, and none can be told to be ours."""
        wanted = self._named(exchange, name).encode()
        found = set()
        for pair in exchange.headers.get(b"cookie", b"").replace(b", ", b"; ").split(b";"):
            key, _, value = pair.partition(b"=")
            if key.strip() == wanted:
                found.add(value.strip())
        return found.pop() if len(found) == 1 else b""

    def set_cookie(self, exchange: Exchange, name: str, value: str, seconds: int) -> Headers:
        """Return the header that keeps a cookie for `seconds`, and from scripts and other sites; 0 ends it."""
        secure = "; Secure" if self.secure(exchange) else ""
        text = f"{self._named(exchange, name)}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}"
        return ((b"set-cookie", text.encode("ascii")),)

    def _named(self, exchange: Exchange, name: str) -> str:
        # A browser takes `__Host-` only over TLS and from the very host, so that no neighbour can plant it.
        return f"__Host-{name}" if self.secure(exchange) else name

    # -- where a request comes from -----------------------------------------------------------------------------------

    def secure(self, exchange: Exchange) -> bool:
        """Whether the browser's own connection is TLS: ours, or that of a proxy that is trusted."""
        if self.settings.tls:
            return True
        return self._believed(exchange.peer) and _last(exchange, b"x-forwarded-proto").lower() == "https"

    def peer(self, exchange: Exchange) -> str:
        """Return the client's address: the last one that no trusted proxy added."""
        address = exchange.peer
        hops = exchange.headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
        while hops and self._believed(address):
            address = hops.pop().strip() or address
        return address

    def host(self, exchange: Exchange) -> str:
        """Return the name and port that the browser asked, in lower case; "" when that is no sound one."""
        told = _last(exchange, b"x-forwarded-host") if self._believed(exchange.peer) else ""
        text = (told or exchange.headers.get(b"host", b"").decode("latin-1")).lower()
        return text if _HOST.fullmatch(text) else ""

    def address(self, exchange: Exchange) -> str:
        """Return the page's own address as others reach it, without a slash at its end."""
        if self.settings.url:
            return self.settings.url.rstrip("/")
        return f"{'https' if self.secure(exchange) else 'http'}://{self.host(exchange) or 'localhost'}"

    def check_origin(self, exchange: Exchange) -> None:
        """Raise Forbidden when a browser says that another site's page sends this."""
        headers = exchange.headers
        site = headers.get(b"sec-fetch-site")
        if site is not None:
            if site in (b"same-origin", b"none"):
                return
        else:
            origin = headers.get(b"origin")
            if origin is None or self._own(origin.decode("latin-1").lower(), exchange):
                return
        raise Forbidden(
            "This request comes from another site's page.",
            code="foreign_origin",
            hint="use the page of this server; behind a proxy that changes `host`, set [signin] url",
        )

    def _own(self, origin: str, exchange: Exchange) -> bool:
        if self.settings.url and origin == _origin(self.settings.url.lower()):
            return True
        scheme, _, place = origin.partition("://")
        port = {"http": ":80", "https": ":443"}.get(scheme)
        host = self.host(exchange)
        return port is not None and bool(host) and place.removesuffix(port) == host.removesuffix(port)

    def local(self, exchange: Exchange) -> bool:
        """Whether a request comes from this very machine, by a browser that means this machine: no proxy before us, and
        no name of somebody's that merely resolves to it."""
        if any(name in exchange.headers for name in _FORWARDED) or not _loopback(exchange.peer):
            return False
        host = _HOST.fullmatch(exchange.headers.get(b"host", b"").decode("latin-1").lower())
        return host is not None and (host[1] == "localhost" or _loopback(host[1].strip("[]")))

    def _believed(self, address: str) -> bool:
        if not self._proxies:
            return False
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._proxies)


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _last(exchange: Exchange, name: bytes) -> str:
    return exchange.headers.get(name, b"").decode("latin-1").rpartition(",")[2].strip()


_HOST = re.compile(r"([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")
"""A name or an address, with perhaps a port, and nothing that could be read as more."""


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
