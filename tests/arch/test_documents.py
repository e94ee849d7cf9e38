"""Every setting, command, error code, variable and endpoint stands in docs/reference, as the code has it."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest

from freehold import __version__
from freehold.app import reference, reference_errors, reference_pages
from freehold.app.environment import VARIABLES
from freehold.app.reference_pages import PAGES

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "docs" / "reference"


@pytest.mark.parametrize("page", PAGES)
def test_reference_pages_are_fresh(page: str) -> None:
    assert (FOLDER / page).read_text("utf-8") == PAGES[page](), "stale: run `make docs`"


def test_every_setting_says_what_it_is() -> None:
    from freehold.app.settings import File

    for where, shape in reference.every_table(File, ""):
        said = reference.meanings(shape)
        assert [name for name in shape.__struct_fields__ if not said.get(name)] == [], where


def test_every_error_code_is_documented_and_none_besides() -> None:
    assert set(reference_errors.given()) == set(reference_errors.API) | set(reference_errors.HOUSE)
    assert not set(reference_errors.API) & set(reference_errors.HOUSE)
    text = (FOLDER / "errors.md").read_text("utf-8")
    assert not re.search(r"\{[a-z_]|\.\.\. \|", text), "a piece of source code"


def test_every_kind_and_its_options_are_documented() -> None:
    from freehold.providers import KINDS, vendors

    assert set(reference_pages.KINDS) == set(KINDS)
    text = (FOLDER / "kinds.md").read_text("utf-8")
    assert [name for name in vendors() if f"| `{name}` |" not in text] == []


def test_the_sample_of_a_models_file_is_one(tmp_path: Path) -> None:
    from freehold.engines.catalogue import Catalogue

    file = tmp_path / "models.toml"
    file.write_text(reference_pages.MODELS_SAMPLE.replace("bytes = 398000000", 'bytes = "398 MB"'), "utf-8")
    model = Catalogue.load(file).find("my-model")
    assert model.files[0].bytes == 398_000_000
    assert {type(source).__name__ for source in model.files[0].sources} == {"Local", "Url", "Hub", "Wheels"}
    assert Catalogue.load(file).find("lies-here").path == "/srv/models/some.gguf"


async def test_the_metrics_are_those_that_are_counted() -> None:
    """What a call leaves behind is documented with all its labels; the rest of the names is the house's gauges."""
    from freehold.core.call import Usage
    from freehold.pipeline.metrics import NAMES, Metrics
    from freehold.routing import Deployment

    counted = Metrics()
    deployment = Deployment(name="d", kind="openai", model="m")
    for error in ("", "upstream_fault"):
        counted.served("chat", deployment, "m", error, 0.1, Usage(input=1, output=1), 0.1, 0.1, 1, "USD")
    sample = counted.sample()
    seen = {(name, label) for name, labels, _ in (*sample.counters, *sample.histograms) for label, _ in labels}
    told = {(name, label) for name, (_, labels) in reference_pages.METRICS.items() for label in labels}
    gauges = {"freehold_breaker_open"}
    assert told - seen == {(name, "deployment") for name in gauges}
    assert seen <= told
    kinds = dict.fromkeys((name for name, _, _ in sample.histograms), "histogram")
    kinds |= {name: "counter" for name, _, _ in sample.counters}
    assert set(reference_pages.METRICS) == set(NAMES)
    assert {n: k for n, (k, _) in reference_pages.METRICS.items() if k != "gauge"} == kinds
    assert {label for _, label in told} == set(reference_pages.LABELS)


def test_every_variable_is_documented() -> None:
    """What the code asks the environment for is listed, and what is listed is asked for."""
    text = (FOLDER / "settings.md").read_text("utf-8")
    assert [name for name in VARIABLES if f"`{name}`" not in text] == []
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "src" / "freehold" / "app").rglob("*.py"))
    asked = set(re.findall(r'environment\.(?:get|folder)\("([A-Z_]+)"', source))
    assert asked <= set(VARIABLES)


def test_every_path_of_the_door_is_documented() -> None:
    text = (FOLDER / "endpoints.md").read_text("utf-8")
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "src" / "freehold" / "gateway").glob("*.py"))
    paths = set(re.findall(r'"(/(?:v1|openai|api)/[a-z0-9/_-]*[a-z0-9_-])/?"', source))
    paths |= set(re.findall(r'"(/(?:healthz|readyz|metrics))"', source))
    assert len(paths) > 5
    assert [path for path in sorted(paths) if path not in text] == []
    headers = set(re.findall(r'b"(x-freehold-[a-z-]+)"', source))
    assert headers
    assert [name for name in sorted(headers) if name not in text] == []


def test_every_endpoint_of_the_api_is_documented() -> None:
    """All that the rooms' files write as a path below /api is in the table, and all of the table on the page."""
    from freehold.app import reference_api

    text = (FOLDER / "api.md").read_text("utf-8")
    table = reference_api.endpoints()
    headings = [f"### `{endpoint.method} {endpoint.path}`" for endpoint in table]
    assert len(headings) > 50
    assert [heading for heading in headings if heading not in text.splitlines()] == []
    assert all(endpoint.summary and endpoint.tag in reference_api.TAGS for endpoint in table)
    written = set()
    for room in ("assist", "console"):
        for path in (ROOT / "src" / "freehold" / room).rglob("*.py"):
            written |= set(re.findall(r'path="(/api/[^"{}]+)"', path.read_text("utf-8")))
    assert len(written) > 10
    assert written - {endpoint.path for endpoint in table} == set()


def test_the_schema_accepts_what_the_reader_accepts(tmp_path: Path) -> None:
    schema = json.loads(json.dumps(reference.schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    good = tomllib.loads(
        """
        [server]
        listen = "127.0.0.1:9000"
        limits = { body_bytes = "1 MiB", header_seconds = 2.5 }
        [deployments.a]
        kind = "openai"
        endpoint = "https://example.org/v1"
        model = "m"
        key = { env = "A_KEY" }
        [routes.r]
        deployments = ["a", { name = "a", weight = 2 }]
        """
    )
    check.validate(good)
    for bad in ({"sever": {}}, {"server": {"lisen": "x"}}, {"deployments": {"a": {"kind": "openai", "key": "sk-1"}}}):
        assert not check.is_valid(bad), bad


def test_the_change_log_is_in_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"^## Unreleased$", text, re.MULTILINE)
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= {"Added", "Changed", "Fixed", "Removed", "Security"}
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", __version__)


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_python_is_new_enough_everywhere() -> None:
    """The version that the scripts check is the one that the package asks for."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    assert wanted == ">=3.11"
    assert "(3, 11)" in (ROOT / "scripts" / "install.sh").read_text("utf-8")
    assert sys.version_info >= (3, 11)


def example(tmp_path: Path, text: str) -> None:
    """Load `text` as a configuration whose vendors' keys are set, and make of it what a server would."""
    from freehold.app.environment import Environment
    from freehold.app.load import load
    from freehold.app.wiring import tables

    for name in ("cert.pem", "key.pem", "models.toml"):
        (tmp_path / name).touch()
    (tmp_path / "freehold.toml").write_text(text, "utf-8")
    secrets = set(re.findall(r'env = "([A-Z_]+)"', text))
    assert len(secrets) >= 3
    config = load(None, Environment(dict.fromkeys(secrets, "sk-example")), tmp_path)
    table, providers, prices = tables(config)
    assert set(providers) == set(config.deployments) > {"gpt", "gpt-azure", "claude", "own-small"}
    assert table.routes["assistant"].fallback == ("own-small",)
    assert prices["gpt-azure"].currency == "USD"


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    example(tmp_path, (ROOT / "freehold.example.toml").read_text("utf-8"))


def test_the_example_holds_with_its_other_lines_too(tmp_path: Path) -> None:
    pytest.importorskip("asyncpg")
    text = re.sub(r"^#(?=[a-z\[])", "", (ROOT / "freehold.example.toml").read_text("utf-8"), flags=re.MULTILINE)
    assert "[deployments.started]" in text.splitlines()
    # The file of a certificate is looked into, and an empty one is none.
    text = re.sub(r"^tls = .*\n", "", text, flags=re.MULTILINE)
    example(tmp_path, text)
