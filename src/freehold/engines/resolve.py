"""From a model's name to the file that serves it: catalogue, shelf and pull joined. Refuses to start engines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from freehold.engines import shelf
from freehold.engines.catalogue import Catalogue
from freehold.engines.engine import Model
from freehold.engines.manager import Resolver, Source
from freehold.engines.pull import Report, pull
from freehold.engines.sources import PullSettings


def catalogue_resolver(
    catalogue: Catalogue,
    home: Path,
    *,
    pulling: PullSettings | None = None,
    progress: Report | None = None,
    base: Path = Path(),
    contexts: Mapping[str, int] | None = None,
    foreign: Mapping[str, Source] | None = None,
) -> Resolver:
    """Return a resolver over the shipped and the user's models; a model that is not here is pulled first.

    `contexts` are tokens of context by name where a deployment fixes them, `foreign` the servers that are adopted or
    started by a command, by the name under which they are asked for.
    """

    async def resolve(name: str) -> Source:
        if foreign and name in foreign:
            return foreign[name]
        model = catalogue.find(name, base=base)
        path = await (
            pull(model, home, progress=progress, settings=pulling) if progress else pull(model, home, settings=pulling)
        )
        shards = sum(f.bytes for f in model.files if f.role == "shard" and f.name != path.name)
        return Model(
            path=path,
            mmproj=shelf.locate(home, model, "mmproj"),
            context=(contexts or {}).get(name) or (contexts or {}).get(model.name),
            companions=shards,
        )

    return resolve
