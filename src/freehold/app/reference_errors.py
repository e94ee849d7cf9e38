"""The page of error codes: what each means and what to do, with the statuses that the code really gives. A test holds
this table and the places that raise together. Refuses to know how an error is rendered."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from freehold.core import errors

API = {
    "404": ("Azure's code for a call without `api-version`", "add the query parameter `api-version`"),
    "BadRequest": ("Azure's code for an `api-version` that is not spoken", "use the one that the message names"),
    "DeploymentNotFound": (
        "Azure's code for a deployment that does not exist",
        "`GET /openai/models` lists the names that the key may use",
    ),
    "answer_running": ("the answer is being made already", "wait until it ends, or stop it"),
    "bulkhead_full": (
        "too many calls to the deployment or its seller are under way",
        "try again shortly; raise the deployment's `max_inflight` or `[server] vendor_inflight`",
    ),
    "catching_up": ("the ledger's sums do not hold all of its entries yet", "ask again in a minute"),
    "circuit_open": (
        "the deployment failed several times in a row and is left alone for a while",
        "try again later; give the route a fallback; `[server.breaker]` sets when and how long",
    ),
    "client_gone": ("the client closed the connection; only the ledger and the metrics see this", "nothing"),
    "content_filter": (
        "a policy of the house, or the vendor's filter, declined the words",
        "the message says which; change the words, or ask a model that may get them",
    ),
    "context_length_exceeded": ("prompt and answer together do not fit the model", "shorten them, or ask a larger one"),
    "csrf_failed": (
        "a change came with a session, but not with its `x-freehold-csrf`",
        "load the page again; programs use a token: `POST /api/me/tokens`",
    ),
    "deployment_hidden": (
        "no public name leads to this deployment alone, so it cannot be tried",
        "set `[server] expose_deployments`, or give it a route of its own",
    ),
    "disabled_team": ("the key's team is disabled", "have it enabled: `freehold teams set NAME --enable`"),
    "duplicate_key": ("a JSON object of the request names a member twice", "keep one"),
    "engine_busy": (
        "so many calls wait for one of our own engines that another would wait in vain",
        "try again after `retry-after` seconds; give the route a fallback",
    ),
    "engine_error": ("one of our own engines failed", "try again; `freehold status` and the engine's log say more"),
    "engine_load_failed": ("llama.cpp could not load the model file", "see the engine's log; `freehold models verify`"),
    "engine_memory": (
        "the model does not fit the machine, or not beside those at work",
        "try again when the others are idle; `freehold models fit` shows what fits; raise `[engines] memory`",
    ),
    "engine_start_failed": ("the engine's command could not be started", "check that it exists and may be run"),
    "expired_api_key": ("the key's time is over", "ask for a new one: `freehold keys create NAME`"),
    "file_damaged": ("a PDF that is added is not sound", "open it in a reader and save it anew"),
    "file_empty": ("the file that is added holds nothing", "choose another one"),
    "file_heavy": ("a PDF takes more memory or time to read than is given to it", "split it, or print it to PDF anew"),
    "file_kind": ("the file is of a kind that is not read", "save it as text, Markdown, CSV, JSON, PDF or a picture"),
    "file_locked": ("a PDF is locked by a password", "save a copy without one"),
    "file_too_large": ("the file is larger than one may be", "split it, or leave out what is not needed"),
    "files_full": ("all files of the member together are larger than they may be", "delete some"),
    "foreign_origin": (
        "a browser says that another site's page sent the request",
        "use this server's own page; behind a proxy that changes `host`, set `[signin] url`",
    ),
    "import_disk": ("the server has no room for the file to import", "ask whoever runs it to make room"),
    "import_offset": ("a part of an import does not follow those that are here", "go on where the hint says"),
    "import_part": ("a part of an import is larger than one may be", "send parts of at most 8 MiB"),
    "import_size": ("the file to import is empty or larger than one may be", "use `freehold import` on the server"),
    "import_state": ("the import is in no state for this, or another of the member's runs", "wait, or stop the other"),
    "import_unknown": ("the file holds no conversation that can be read", "choose an export as it was downloaded"),
    "imports_busy": ("as many imports run as one process does at once", "try again in a few minutes"),
    "imports_waiting": ("several files of the member wait to be imported already", "start or remove one"),
    "insufficient_quota": (
        "a money budget of the key or its team is spent, or the call could overspend it",
        "wait for the window's end (`retry-after`), ask for a larger budget, or set a smaller `max_tokens`",
    ),
    "internal_error": ("a bug of ours", "report it with the call's `x-request-id`"),
    "invalid_api_key": ("no such key here", "check that it is whole and for this server"),
    "invalid_json": ("the body is not JSON", "correct it at the place that the message names"),
    "invalid_json_schema": ("a schema of the request cannot be enforced", "rewrite the part that the path names"),
    "invalid_request": ("the request is not of the dialect's form", "correct the member that `param` names"),
    "invitation_gone": (
        "an invitation was used, replaced, or is over",
        "ask for another one: `freehold members link NAME`",
    ),
    "json_too_deep": ("the body nests too deeply", "flatten it; `[server] limits.depth` is the bound"),
    "key_of_member": ("the key is a member's own", "disable that member: the key ends with it"),
    "last_owner": ("the last owner cannot be stopped or given another role", "make somebody else an owner first"),
    "member_changed": ("the member's role changed while it was being changed", "look at the member again"),
    "member_disabled": ("the account is disabled", "have it enabled: `freehold members enable NAME`"),
    "memory_full": ("it is remembered already, or there is no room for more", "look at the list of memories"),
    "method_not_allowed": ("the path exists, the method does not", "use the method that `allow` names"),
    "missing_api_key": ("no key was sent", "send `Authorization: Bearer fh-...` or `api-key: fh-...`"),
    "model_missing": ("the model's file is not on the machine", "`freehold models pull NAME`"),
    "model_not_allowed": ("the assistant of the conversation does not use this model", "choose one that it names"),
    "model_not_found": ("no such model, or not for this key", "`GET /v1/models` lists what the key may use"),
    "model_reference": ("what is to be pulled is no name of a model", "a catalogue name, `hf:...` or `pypi:...`"),
    "name_taken": ("a member, its key or its identity is another's already", "choose another name"),
    "names_busy": ("too many calls wait for names and places to be found", "try again shortly"),
    "names_failed": (
        "the process that finds names and places ended",
        "it starts again by itself; look at memory",
    ),
    "names_missing": (
        "a policy asks for names and places, and nobody here finds them",
        "install the extra `names`, or leave `names = true` out of the policy",
    ),
    "no_deployment_available": (
        "no deployment of the route can take the call now",
        "try again later; give the route a fallback",
    ),
    "not_cut": ("the answer is complete, so it cannot go on", "ask for more in a new message"),
    "not_found": ("no such path", "the page is at `/`, the API below `/v1` and `/openai`"),
    "not_queued": ("the message does not wait in the queue any more", "load the conversation again"),
    "not_yours": ("only its owner or an admin changes what is shared", "save a copy and change that"),
    "oidc_denied": ("the identity provider says that the person declined", "sign in again"),
    "oidc_expired": (
        "a sign-in at an identity provider took too long or was begun in another browser",
        "begin it again",
    ),
    "oidc_failed": (
        "an identity provider's answer is not good",
        "the log says why; check the provider under `[signin.oidc]`",
    ),
    "oidc_not_allowed": (
        "the identity may not come in",
        "`allow` of the provider says who may; or tie it to an account",
    ),
    "oidc_taken": ("the account is tied to an identity already, or the identity to another", "untie it first"),
    "oidc_unreachable": ("the identity provider cannot be reached", "try again; check its `issuer` and `ca`"),
    "own_account": (
        "one's own password cannot be set without the old one",
        "`POST /api/me/password`; forgotten: `freehold members password NAME` on the server",
    ),
    "password_off": ("nobody signs in with a password here", "use one of the other ways to sign in"),
    "prompt_truncated": ("an engine of ours cut a prompt, which it must not", "report it"),
    "prompt_variable": ("a place to fill in of a prompt is written wrongly", "write it as the message says"),
    "queue_full": ("as many messages wait in the conversation as may", "wait for the next answer"),
    "rate_limit_exceeded": ("a limit on requests or tokens is reached", "wait for `retry-after` seconds"),
    "refused": ("we decline the call", "as the message says"),
    "reply_off_schema": (
        "one of our own engines could not hold a reply to its schema",
        "ask again, with a simpler schema",
    ),
    "request_timeout": ("the request took too long to arrive", "send it faster; `[server] limits` has the bounds"),
    "request_too_large": ("a bound on a request's size is passed", "send less; `[server] limits` has the bounds"),
    "revoked_api_key": ("the key was revoked", "ask for a new one: `freehold keys create NAME`"),
    "role_too_low": ("the member's role does not reach for this", "ask an owner for another role"),
    "route_not_allowed": ("the key is good, but not for this route", "`GET /v1/models` lists what it may use"),
    "setup_code": (
        "the first visit from elsewhere needs a code",
        "`freehold members link` prints the address that holds it",
    ),
    "setup_done": ("the server has an owner already", "sign in, or ask for an invitation"),
    "share_empty": ("there is nothing in the conversation to share", "ask something first"),
    "shutting_down": ("the server is stopping", "try again after `retry-after` seconds"),
    "signin_busy": (
        "so many people sign in at once that another would wait in vain",
        "try again after `retry-after` seconds",
    ),
    "signin_failed": ("the name or the password is wrong", "check both, then try again"),
    "signin_required": ("nobody is signed in, or no longer", "sign in at the page, or send a token"),
    "signin_throttled": ("too many sign-ins failed", "wait for `retry-after` seconds"),
    "store_slow": ("the store did not finish a write in time", "look at its disk and load"),
    "store_unavailable": (
        "the ledger or the store takes no write",
        "bring the store back: disk, database; calls are taken again by themselves",
    ),
    "text_too_long": ("a text is longer than it may be there", "shorten it, or put it in a file"),
    "token_not_enough": ("a program's token may not do this", "sign in at the page with a browser"),
    "tool_not_allowed": ("the configuration says that the tool is never used", "ask an administrator: `[tools]`"),
    "terms_forbid": (
        "no deployment of the model may take the call: by its contract, or by what a policy lets out",
        "`freehold contracts show NAME` shows the terms; ask a model whose terms allow it, or one of your own",
    ),
    "too_many": ("there are as many of these as one may have", "delete some first"),
    "too_many_answers": ("as many answers are made in the conversation as may be at once", "wait for one"),
    "too_many_connections": ("more connections are open than a worker takes", "close some; `[server] limits`"),
    "too_many_streams": ("a member follows as many conversations at once as a worker allows", "close some pages"),
    "unsupported_media_type": ("the body is not declared as JSON", "send `content-type: application/json`"),
    "unsupported_parameter": (
        "the target cannot honour a member of the request",
        'leave it out, ask another model, or set `on_loss = "warn"` to have it dropped and named',
    ),
    "upstream_auth": ("the vendor refused our credentials", "check the deployment's key"),
    "upstream_broken": ("the vendor's reply broke off or is not HTTP", "try again"),
    "upstream_connect_failed": (
        "no connection to the vendor (DNS, refused, TLS)",
        "check the deployment's endpoint, proxy and `ca`",
    ),
    "upstream_error": ("the vendor or engine failed", "try again"),
    "upstream_fault": ("the vendor failed on its own (5xx)", "try again; give the route a fallback"),
    "upstream_model_missing": ("the vendor does not know the model", "check the deployment's `model` and `endpoint`"),
    "upstream_overloaded": (
        "the vendor is overloaded or limits our rate",
        "wait for `retry-after` seconds; give the route a fallback",
    ),
    "upstream_quota": ("our account with the vendor is out of credit", "raise its limit or pay its bill"),
    "upstream_rejected": (
        "the vendor declined this request; the status and the error object are the vendor's",
        "change the request as its message says",
    ),
    "upstream_timeout": ("connect, first byte, idle or total time ran out", "try again; `timeout` has the bounds"),
    "use_decided": ("whether the tool may be used is decided already", "load the conversation again"),
    "vault_unreadable": (
        "pseudonyms were kept with another key, or tampered with; nothing was sent",
        "put the key of `[vault] key`, or the file `vault.key`, back; `freehold vault reset` begins anew",
    ),
    "weak_password": ("the password is too short, or one of those that are tried first", "take a few words in a row"),
    "wrong_password": ("that is not the password that the member has", "check it, then try again"),
}
"""Codes that a client of the API can meet: what each means, and what to do."""

HOUSE = {
    "already_running": ("another Freehold serves from this folder", "`freehold status` shows it; stop it first"),
    "config_error": ("a file, flag or environment value is wrong", "correct what the message names"),
    "disk_full": ("no room for a model", "free some space, or `freehold models rm` one"),
    "export_target": (
        "the file that an export is written to cannot be written",
        "name a folder that exists, on a disk with space",
    ),
    "file_exists": ("the file that is to be written exists", "name another, or add `--force`"),
    "model_file_invalid": ("a model file is not sound, or cannot be converted", "fetch it again from its publisher"),
    "model_file_missing": ("a model file cannot be read", "check path and permissions, or pull it"),
    "model_file_truncated": ("a model file is cut short", "`freehold models rm` and pull it again"),
    "model_hash_unknown": ("a file's hash is not known, so a wrong one could not be noticed", "`--trust-first`"),
    "model_in_use": ("the running server uses the model", "take its deployment out first, or add `--force`"),
    "model_pull_failed": ("none of a model's sources had it", "each source's reason is named; check the network"),
    "model_source_failed": ("one source of a model does not have it", "another may; see the other reasons"),
    "model_trust_unreadable": ("the record of hashes that were trusted first cannot be read", "repair or move it"),
    "model_unknown": ("no model is called so", "`freehold models list` shows the names"),
    "not_running": ("no server answers in this folder", "`freehold up` or `freehold serve` starts one"),
    "port_in_use": ("the port is taken", "stop its holder, or set `[server] listen`"),
    "process_gone": ("a process of the server ended while it was asked", "it is started again; ask again"),
    "store_busy": ("texts were erased, but another process still reads the old bytes", "wait for it, erase again"),
    "store_conflict": ("a row breaks a rule of its table, such as a name that is taken", "choose another name"),
    "store_error": ("a statement of ours failed", "report it"),
    "store_foreign": ("the store is another program's", "name another in `[store] url`"),
    "store_gone": ("the store's file or database went away while it was open", "bring it back, and start again"),
    "store_newer": ("the store was written by a newer Freehold", "run that one, or name another store"),
    "store_remote": ("an SQLite store lies on a network file system", "move it to a local disk, or use PostgreSQL"),
    "store_value": ("a value does not fit its column", "report it"),
    "usage": ("the command line is wrong", "`--help` behind the command says more"),
    "tool_session_lost": ("a server of tools forgot our session; a new one is begun", "nothing"),
}
"""Codes of the command line, the log and the server's own life; with `--json` they stand in `error.code`."""


class Place(msgspec.Struct, frozen=True):
    """How a code is given: by which class, with which status, and whose fault it is."""

    kind: str
    status: int
    retryable: bool
    fault: str


def page(made: str) -> str:
    """Return docs/reference/errors.md."""
    found = given()
    lines = [
        made + "# Errors",
        "",
        "Every error carries a stable code, in the client's dialect, and a message that ends with what to do.",
        "`retry`: whether the same call may succeed later. `fault`: whose it is. In Azure's dialect some codes differ,",
        "because its clients test for Azure's own.",
        "",
        "## Of the API",
        "",
        "| code | status | retry | fault | means | what to do |",
        "|---|--:|---|---|---|---|",
    ]
    for code, (meaning, todo) in API.items():
        places = found[code]
        status = " or ".join(str(each) for each in sorted({place.status for place in places}))
        retry = " or ".join(sorted({"yes" if place.retryable else "no" for place in places}, reverse=True))
        fault = " or ".join(sorted({place.fault for place in places}))
        if code == "upstream_rejected":
            status = "4xx"
        lines.append(f"| `{code}` | {status} | {retry} | {fault} | {meaning} | {todo} |")
    lines += [
        "",
        "A stream that has begun cannot change its status: the error comes as its last event, and no `[DONE]`.",
    ]
    lines += ["", "## Of the command line and the log", "", "| code | means | what to do |", "|---|---|---|"]
    lines += [f"| `{code}` | {meaning} | {todo} |" for code, (meaning, todo) in HOUSE.items()]
    lines += ["", "## Of the ledger", "", "An entry's `error` is one of the codes above, or one of these:", ""]
    lines += ["| code | means |", "|---|---|", *(f"| `{code}` | {meaning} |" for code, meaning in LEDGER.items())]
    return "\n".join(lines) + "\n"


LEDGER = {
    "interrupted": "the server died, or the store was away, while the call was under way; the reserved cost stands",
    "not_sent": "the intent was recorded, and then nothing was sent",
}


def given() -> dict[str, set[Place]]:
    """Return every code that the source gives, with the places' status, retry and fault."""
    found: dict[str, set[Place]] = {}
    kinds: list[type[errors.FreeholdError]] = [errors.FreeholdError, *errors.FreeholdError.registry.values()]
    for kind in kinds:
        if kind.__module__ == errors.__name__:
            found.setdefault(kind.code, set()).add(Place(kind.__name__, kind.status, kind.retryable, kind.fault))
    root = Path(inspect.getfile(errors)).parent.parent
    trees = [ast.parse(path.read_text("utf-8")) for path in sorted(root.rglob("*.py")) if path.stem != "errors"]
    # NAME = "text" at a file's top: codes that several places share
    words = {name: text for tree in trees for name, text in _texts(tree.body) if name.isupper()}
    for tree in trees:
        for code, place in _in_file(tree, words):
            found.setdefault(code, set()).add(place)
    return found


def _texts(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    """Yield name and text of every `name = "text"` among `nodes`."""
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield node.targets[0].id, value.value


def _in_file(tree: ast.Module, words: dict[str, str]) -> Iterator[tuple[str, Place]]:
    local = {text for name, text in _texts(ast.walk(tree)) if name == "code"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            given = {k.arg: k.value for k in node.keywords}
            for code in _codes(given.get("code"), words, local) if _kind(name) else ():
                yield code, _place(name, given)
        elif isinstance(node, ast.ClassDef):
            bases = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
            base = next((each for each in bases if _kind(each)), None)
            for code in _class_codes(node) if base else ():
                yield code, _place(str(base), {})


def _codes(value: ast.expr | None, words: dict[str, str], local: set[str]) -> set[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return {value.value}
    if isinstance(value, ast.Name):
        return local if value.id == "code" else {words[value.id]} if value.id in words else set()
    return set()


def _kind(name: str) -> type[errors.FreeholdError] | None:
    return errors.FreeholdError if name == "FreeholdError" else errors.FreeholdError.registry.get(name)


def _place(name: str, given: dict[str | None, ast.expr]) -> Place:
    kind = _kind(name)
    assert kind is not None  # asked before
    said = {word: node.value for word, node in given.items() if isinstance(node, ast.Constant)}
    status, retryable = said.get("status", kind.status), said.get("retryable", kind.retryable)
    return Place(name, int(str(status)), bool(retryable), str(said.get("fault", kind.fault)))


def _class_codes(node: ast.ClassDef) -> Iterator[str]:
    """Yield what a class body assigns to `code`, alone or in a tuple."""
    for statement in node.body:
        if not isinstance(statement, ast.Assign):
            continue
        pairs = [(statement.targets[0], statement.value)]
        if isinstance(statement.targets[0], ast.Tuple) and isinstance(statement.value, ast.Tuple):
            pairs = list(zip(statement.targets[0].elts, statement.value.elts, strict=True))
        for name, value in pairs:
            if isinstance(name, ast.Name) and name.id == "code" and isinstance(value, ast.Constant):
                yield str(value.value)
