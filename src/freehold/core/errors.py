"""Every error that Freehold raises on purpose. Knows what went wrong; refuses to know any dialect.

FreeholdError
├── ConfigError             a file, flag or environment value is wrong            (caller)
├── Refused                 we decline the call
│   ├── BadRequest          the request is not of the dialect's form              (caller)
│   ├── TooLarge            a stated limit on size or depth is passed             (caller)
│   ├── Unauthenticated     no key, unknown, revoked or expired key               (caller)
│   ├── Forbidden           the key is good but not for this route                (caller)
│   │   └── TermsForbid     no contract of the route allows this call             (caller)
│   ├── Blocked             a guard does not let these words through              (caller)
│   ├── NotFound            no such path, model or object                         (caller)
│   ├── MethodNotAllowed    the path exists, the method does not                  (caller)
│   ├── ContextTooLong      the prompt does not fit the model                     (caller)
│   ├── Unsupported         the target cannot honour a field (policy `strict`)    (caller)
│   ├── OverLimit           a rate or token limit is reached                      (caller)
│   └── OverBudget          a money budget is spent                               (caller)
├── Unroutable              no deployment can take the call now                   (ours)
├── UpstreamError           the vendor or engine failed
│   ├── ConnectFailed       no connection (DNS, refused, TLS)                     (vendor)
│   ├── UpstreamTimeout     connect, first byte, idle or total time ran out       (vendor)
│   ├── UpstreamOverloaded  the vendor says 429 or 503                            (vendor)
│   ├── UpstreamRejected    the vendor declined this request (other 4xx)          (caller or vendor)
│   ├── UpstreamFault       the vendor failed on its own (5xx)                    (vendor)
│   └── UpstreamBroken      the reply broke off or is not what HTTP allows        (vendor)
├── EngineError             one of our own engines could not be started or died   (ours)
└── StoreError              the ledger or the store cannot take a write           (ours)

Rendered once, at the door, in the client's dialect.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

Fault = Literal["caller", "vendor", "ours"]


class FreeholdError(Exception):
    """Base of the tree.

    Class attributes are defaults; any of them can be set per instance by keyword.
    `code` is stable and documented, `status` the HTTP status, `retryable` whether the same call may
    succeed later, `fault` whose it is, `hint` what to do next, `param` the offending field,
    `retry_after` seconds after which a retry makes sense.
    """

    code: str = "internal_error"
    status: int = 500
    retryable: bool = False
    fault: Fault = "ours"
    hint: str = ""
    param: str | None = None
    retry_after: float | None = None
    registry: ClassVar[dict[str, type[FreeholdError]]] = {}

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        retryable: bool | None = None,
        fault: Fault | None = None,
        hint: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status
        if retryable is not None:
            self.retryable = retryable
        if fault is not None:
            self.fault = fault
        if hint is not None:
            self.hint = hint
        if param is not None:
            self.param = param
        if retry_after is not None:
            self.retry_after = retry_after

    def sentences(self) -> str:
        """Return message and hint as sentences, for whoever reads them in one line."""
        message, hint = self.message.strip(), self.hint.strip()
        if not hint:
            return message
        # A message may begin with a field's name, which keeps its case.
        parts = (message, hint[:1].upper() + hint[1:])
        return " ".join(part if part.endswith((".", "!", "?")) else part + "." for part in parts)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        FreeholdError.registry[cls.__name__] = cls


class ConfigError(FreeholdError):
    code, status, fault = "config_error", 500, "caller"


class Refused(FreeholdError):
    code, status, fault = "refused", 400, "caller"


class BadRequest(Refused):
    code, status = "invalid_request", 400


class TooLarge(Refused):
    code, status = "request_too_large", 413


class Unauthenticated(Refused):
    code, status = "invalid_api_key", 401


class Forbidden(Refused):
    code, status = "route_not_allowed", 403


class TermsForbid(Forbidden):
    code, param = "terms_forbid", "model"


class Blocked(Refused):
    """`filter` says what was found, in the categories that Azure's clients read. `body` is what the caller gets in
    place of a whole answer that was stopped: then nothing else is refused."""

    code, status = "content_filter", 400
    filter: Mapping[str, object] = MappingProxyType({})
    body: bytes = b""


class NotFound(Refused):
    code, status = "not_found", 404


class MethodNotAllowed(Refused):
    code, status = "method_not_allowed", 405


class ContextTooLong(Refused):
    code, status = "context_length_exceeded", 400
    param = "messages"


class Unsupported(Refused):
    code, status = "unsupported_parameter", 400


class OverLimit(Refused):
    code, status, retryable = "rate_limit_exceeded", 429, True


class OverBudget(Refused):
    code, status = "insufficient_quota", 429


class Unroutable(FreeholdError):
    code, status, retryable = "no_deployment_available", 503, True


class UpstreamError(FreeholdError):
    """`began` says whether any byte of the reply had come."""

    code, status, retryable = "upstream_error", 502, True
    fault: Fault = "vendor"
    began: bool = False


class ConnectFailed(UpstreamError):
    code = "upstream_connect_failed"


class UpstreamTimeout(UpstreamError):
    code, status = "upstream_timeout", 504


class UpstreamOverloaded(UpstreamError):
    code, status = "upstream_overloaded", 429


class UpstreamRejected(UpstreamError):
    """The vendor's own 4xx. `status` is the vendor's; `body` its error object as received, for the caller."""

    code, status, retryable = "upstream_rejected", 400, False
    fault: Fault = "caller"
    body: bytes = b""


class UpstreamFault(UpstreamError):
    code, status = "upstream_fault", 502


class UpstreamBroken(UpstreamError):
    code, status = "upstream_broken", 502


class EngineError(FreeholdError):
    code, status, retryable = "engine_error", 503, True


class StoreError(FreeholdError):
    code, status, retryable = "store_unavailable", 503, True

    def sentences(self) -> str:
        """Return what a caller is told: where the store is, and why it fails, is for its operator alone."""
        return "Freehold cannot write its records now, so it takes no calls. Try again later."
