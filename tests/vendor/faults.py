"""Replies that go wrong, on purpose. Knows how a vendor fails; refuses to know whom it fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.vendor.answers import Act, Problem

REASONS = {
    200: "OK",
    307: "Temporary Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    529: "Site Overloaded",
}
_ERRORS = {
    400: ("invalid_request_error", None, "The request is not valid."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-vendor-secret-1234."),
    403: ("invalid_request_error", "unsupported_country_region_territory", "Country or region not supported."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
    408: ("server_error", "timeout", "Request timed out."),
    409: ("conflict_error", "conflict", "Conflict."),
    422: ("invalid_request_error", None, "Unprocessable."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests."),
    500: ("server_error", None, "The server had an error while processing your request."),
    503: ("server_error", None, "The engine is currently overloaded, please try again later."),
    529: ("overloaded_error", None, "Overloaded."),
}
HTML = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    b"<hr><center>cloudfront</center>\r\n</body>\r\n</html>\r\n"
)
GARBAGE = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this was never HTTP \xff\xfe\r\n\r\n"
ERROR_EVENT = (
    b'data: {"error":{"message":"The server had an error: sk-vendor-secret-0123456789.","type":"server_error",'
    b'"param":null,"code":null}}\n\n'
)


def problem_of(act: Act, azure: bool) -> Problem | None:
    """The error reply that `act` asks for, if it asks for one."""
    if act.name == "status":
        code = int(act.args["code"])
        kind, name, message = _ERRORS.get(code, ("server_error", None, "Something is wrong."))
        after = act.args.get("retry_after")
        headers = []
        if after == "date":
            moment = datetime.now(UTC) + timedelta(seconds=act.number("seconds", 1))
            headers.append(("retry-after", format_datetime(moment, usegmt=True)))
        elif after is not None:
            headers.append(("retry-after", after))
        if azure:
            return Problem(code, {"code": str(code), "message": message}, headers)
        return Problem(code, {"message": message, "type": kind, "param": None, "code": name}, headers)
    if act.name == "filter":
        return Problem(400, _filtered(azure))
    if act.name == "context":
        message = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
        error = {"message": message, "type": "invalid_request_error", "param": "messages"}
        return Problem(400, {**error, "code": "context_length_exceeded"})
    return None


def _filtered(azure: bool) -> dict[str, object]:
    message = "The response was filtered due to the prompt triggering the content management policy."
    error: dict[str, object] = {"message": message, "type": None, "param": "prompt", "code": "content_filter"}
    if azure:
        error["status"] = 400
        error["innererror"] = {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {"violence": {"filtered": True, "severity": "high"}},
        }
    return error
