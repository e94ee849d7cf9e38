"""What the console's API answers with, as types: the description of /api is made of them. Refuses to know where any of
it comes from. Times in milliseconds since the epoch; money as decimal text beside its currency."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Money(Struct, frozen=True):
    currency: str
    amount: str


class Named(Struct, frozen=True):
    id: str
    name: str


class Sums(Struct, kw_only=True):
    """`failed_calls` counts calls whose last attempt failed; it is not known (null) by maker, seller, host and
    deployment, where a call that went elsewhere has not failed. What its caller left or stopped has not failed either.
    `unpriced` counts attempts whose cost is not known."""

    calls: int = 0
    failed_calls: int | None = 0
    attempts: int = 0
    failed_attempts: int = 0
    input: int = 0
    output: int = 0
    cached: int = 0
    cost: list[Money] = []
    unpriced: int = 0


class Latency(Struct, kw_only=True):
    """Milliseconds: whole answers, and first tokens of streams. `of` answers were looked at: all, if `exact`."""

    p50: float | None = None
    p95: float | None = None
    first_p50: float | None = None
    first_p95: float | None = None
    of: int = 0
    exact: bool = True


class Totals(Sums, kw_only=True):
    latency: Latency
    keys: int
    members: int


class Group(Sums, kw_only=True):
    """`share_calls` is of all attempts, `share_cost` of what was spent in the main currency, both 0 to 1."""

    id: str
    name: str
    share_calls: float
    share_cost: float
    p95: float | None = None


class Groups(Struct, kw_only=True):
    maker: list[Group]
    seller: list[Group]
    host: list[Group]
    deployment: list[Group]
    model: list[Group]
    key: list[Group]
    team: list[Group]


class Bucket(Struct, kw_only=True):
    at: int
    calls: int = 0
    failed_calls: int = 0
    attempts: int = 0
    failed_attempts: int = 0
    input: int = 0
    output: int = 0
    cost: list[Money] = []
    p95: float | None = None
    first_p95: float | None = None


class ErrorCount(Struct, kw_only=True):
    code: str
    attempts: int
    deployments: list[str]
    last_at: int


class Now(Struct, kw_only=True):
    ready: bool
    inflight: int
    connections: int
    workers: int
    workers_ready: int
    engines: int
    engines_ready: int
    open_circuits: list[str]


class LedgerState(Struct, kw_only=True):
    state: str
    entries: int
    head: str
    durability: str
    bodies: str


class CatchingUp(Struct, frozen=True):
    done: int
    total: int


class Overview(Struct, kw_only=True):
    """`before` is the span of the same length before this one. While entries are `catching_up` figures are partial."""

    span: str
    since: int
    until: int
    step: int
    totals: Totals
    before: Sums | None
    series: list[Bucket]
    by: Groups
    errors: list[ErrorCount]
    now: Now
    ledger: LedgerState
    catching_up: CatchingUp | None


class Price(Struct, kw_only=True):
    """Per million tokens. `own`: the configuration says so, else the shipped book does."""

    input: str
    output: str
    cached: str | None
    currency: str
    per: int = 1_000_000
    own: bool = False


class WorkerSees(Struct, kw_only=True):
    index: int
    circuit: str
    inflight: int


class LastError(Struct, frozen=True):
    code: str
    at: int


class Hour(Sums, kw_only=True):
    latency: Latency


class Deployment(Struct, kw_only=True):
    """`health`: ok, trial (its circuit lets one call through), open (its circuit keeps calls off), idle (not tried)."""

    name: str
    kind: str
    model: str
    maker: str
    seller: str
    host: str
    region: str
    chips: str
    contract: str
    own: bool
    engine: str
    endpoint: str
    capabilities: list[str] | None
    context: int | None
    max_output: int | None
    price: Price | None
    timeouts: dict[str, float]
    retries: int
    max_inflight: int
    health: str
    workers: list[WorkerSees]
    inflight: int
    engine_state: str | None
    engine_reason: str
    hour: Hour
    last_error: LastError | None
    routes: list[str]


class Target(Struct, kw_only=True):
    deployment: str
    weight: int
    share: float
    live: bool


class Route(Struct, kw_only=True):
    """`own_name`: the deployment's own name, under which it can be asked for."""

    name: str
    targets: list[Target]
    fallback: list[str]
    on_loss: str | None
    wildcard: bool
    own_name: bool


class Deployments(Struct, frozen=True):
    deployments: list[Deployment]
    routes: list[Route]


class Failure(Struct, frozen=True):
    code: str
    message: str


class Tried(Struct, kw_only=True):
    """What came of a call to one deployment. It is on the ledger as any call."""

    ok: bool
    call: str
    deployment: str
    text: str = ""
    answered: str = ""
    input: int = 0
    output: int = 0
    cost: Money | None = None
    first_ms: float | None = None
    total_ms: float = 0.0
    error: Failure | None = None


class Job(Struct, kw_only=True):
    """Long work of the server: `kind` is pull, verify or ledger; `done` of `total` bytes or entries (0: not known)."""

    id: str
    kind: str
    subject: str
    by: str
    state: str
    phase: str
    done: int
    total: int
    rate: float
    eta: float | None
    note: str
    error: Failure | None
    result: Any
    started_at: int
    ended_at: int | None


class Jobs(Struct, frozen=True):
    jobs: list[Job]


class FitFacts(Struct, kw_only=True):
    threads: int
    slots: int
    context: int
    batch: int
    kv_type: str
    bytes: int


class EngineState(Struct, kw_only=True):
    state: str
    reason: str
    rss: int
    bytes: int
    context: int
    slots: int
    busy: int
    waiting: int
    restarts: int
    loaded_at: int | None
    last_used: int | None


class OwnModel(Struct, kw_only=True):
    """A model that runs here, or could. `memory` is an estimate until it is here; `trust`: no hash of it is known."""

    name: str
    title: str
    maker: str
    licence: str
    licence_url: str
    family: str
    parameters: int | None
    quantisation: str
    bytes: int | None
    memory: int | None
    memory_estimated: bool
    context: int | None
    capabilities: list[str]
    note: str
    facts: str
    fits: bool | None
    why: str
    fit: FitFacts | None
    here: bool
    held_bytes: int
    sources: list[str]
    trust: bool
    deployments: list[str]
    engine: EngineState | None
    job: Job | None


class Machine(Struct, kw_only=True):
    cores: int
    memory: int
    available: int


class OwnModels(Struct, kw_only=True):
    machine: Machine
    budget: int
    used: int
    offline: bool
    models: list[OwnModel]
    jobs: list[Job]


class Freed(Struct, frozen=True):
    freed: int
