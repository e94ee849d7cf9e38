"""From a file to the configuration in force: folders, addresses, and what has to hang together."""

from __future__ import annotations

from pathlib import Path

import pytest

from freehold.app import options
from freehold.app.config import Problems
from freehold.app.discovery import CHAT, EMBEDDINGS
from freehold.app.environment import Environment
from freehold.app.load import check_routes_exist, effective, load
from freehold.app.place import SOCKET_PATH
from freehold.app.settings import Config
from freehold.core.errors import ConfigError

TWO = """
[deployments.a]
kind = "openai"
endpoint = "https://example.org/v1"
model = "m"
[deployments.b]
kind = "llamacpp"
model = "smollm2-135m-instruct"
"""


def read(folder: Path, text: str | None = None, **values: str) -> Config:
    if text is not None:
        (folder / "freehold.toml").write_text(text)
    return load(None, Environment(values), folder)


def wrong(folder: Path, text: str, **values: str) -> dict[str, str]:
    with pytest.raises(Problems) as caught:
        read(folder, text, **values)
    return {problem.where: f"{problem.message} | {problem.hint}" for problem in caught.value.problems}


def test_without_a_file_there_are_the_embedded_models(tmp_path: Path) -> None:
    config = read(tmp_path)
    assert list(config.deployments) == [CHAT, EMBEDDINGS]
    assert config.path is None
    assert config.address == ("127.0.0.1", 8080)
    assert config.data == tmp_path / ".freehold"
    assert config.store_url == f"sqlite:///{tmp_path}/.freehold/freehold.db"
    assert set(config.all_routes()) == {CHAT, EMBEDDINGS}


def test_an_empty_home_keeps_everything_in_the_data_folder(tmp_path: Path) -> None:
    assert read(tmp_path).home == tmp_path / ".freehold"
    assert read(tmp_path, HOME="").home == tmp_path / ".freehold"
    assert read(tmp_path, HOME="/nowhere").home == tmp_path / ".freehold"
    assert read(tmp_path, HOME=str(tmp_path)).home == tmp_path / ".cache" / "freehold"
    assert read(tmp_path, HOME=str(tmp_path), FREEHOLD_HOME="/srv/models").home == Path("/srv/models")


def test_a_long_path_moves_the_sockets(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    deep.mkdir(parents=True)
    config = read(deep, XDG_RUNTIME_DIR=str(tmp_path))
    assert config.run.parent == tmp_path
    assert config.run != read(deep.parent, XDG_RUNTIME_DIR=str(tmp_path)).run
    short = read(Path("/srv"))
    assert short.run == Path("/srv/.freehold/run")
    assert len(str(short.run)) <= SOCKET_PATH


def test_the_users_own_file_keeps_its_data_in_the_users_data_folder(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "freehold"
    folder.mkdir(parents=True)
    (folder / "freehold.toml").touch()
    cwd = tmp_path / "elsewhere"
    cwd.mkdir()
    config = load(None, Environment({"HOME": str(tmp_path)}), cwd)
    assert config.path == folder / "freehold.toml"
    assert config.data == tmp_path / ".local" / "share" / "freehold"


@pytest.mark.parametrize(
    ("url", "becomes"),
    [
        ("sqlite:///f.db", "sqlite:///{folder}/f.db"),
        ("sqlite:////srv/f.db", "sqlite:////srv/f.db"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
    ],
)
def test_the_stores_place(tmp_path: Path, url: str, becomes: str) -> None:
    assert read(tmp_path, f'[store]\nurl = "{url}"').store_url == becomes.format(folder=tmp_path)


def test_the_stores_password_is_a_secret(tmp_path: Path) -> None:
    text = '[store]\nurl = "postgresql://u@h:5433/d"\npassword = { env = "PW" }'
    config = read(tmp_path, text, PW="p@ss/1")
    assert config.store_url == "postgresql://u:p%40ss%2F1@h:5433/d"
    assert "p@ss" not in str(effective(config))
    assert "store.url" in wrong(tmp_path, '[store]\nurl = "postgresql://u:secret@h/d"')
    assert "store.url" in wrong(tmp_path, '[store]\nurl = "mysql://h/d"')


@pytest.mark.parametrize("listen", ["127.0.0.1:80", "[::1]:8080", "localhost:1"])
def test_loopback_needs_nothing(tmp_path: Path, listen: str) -> None:
    assert read(tmp_path, f'[server]\nlisten = "{listen}"').address[1] > 0


@pytest.mark.parametrize("listen", ["0.0.0.0:80", "[::]:8080", "192.0.2.1:80"])
def test_beyond_loopback_it_wants_tls_or_a_proxy(tmp_path: Path, listen: str) -> None:
    found = wrong(tmp_path, f'[server]\nlisten = "{listen}"')
    assert "tls" in found["server.listen"]
    assert "trusted_proxies" in found["server.listen"]
    read(tmp_path, f'[server]\nlisten = "{listen}"\ntrusted_proxies = ["10.0.0.0/8"]')
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).touch()
    config = read(tmp_path, f'[server]\nlisten = "{listen}"\ntls = {{ cert = "cert.pem", key = "key.pem" }}')
    assert config.server.tls is not None
    assert config.server.tls.cert == tmp_path / "cert.pem"


@pytest.mark.parametrize("listen", ["8080", ":8080", "example.org:80", "127.0.0.1:x", "127.0.0.1:70000", ""])
def test_what_is_no_address(tmp_path: Path, listen: str) -> None:
    assert "server.listen" in wrong(tmp_path, f'[server]\nlisten = "{listen}"')


def test_routes_name_deployments_that_exist(tmp_path: Path) -> None:
    found = wrong(tmp_path, TWO + '[routes.r]\ndeployments = ["a", "c"]\nfallback = ["bb"]\n')
    assert set(found) == {"routes.r.deployments[1]", "routes.r.fallback[0]"}
    assert "did you mean `b`?" in found["routes.r.fallback[0]"]


def test_a_broken_deployment_is_not_reported_as_missing_too(tmp_path: Path) -> None:
    found = wrong(tmp_path, '[deployments.a]\nkin = "openai"\n[routes.r]\ndeployments = ["a"]\n')
    assert set(found) == {"deployments.a.kin", "deployments.a.kind"}


def test_a_route_needs_somewhere_to_go(tmp_path: Path) -> None:
    assert "routes.r.deployments" in wrong(tmp_path, TWO + "[routes.r]\ndeployments = []\n")
    assert "routes.r.deployments" in wrong(tmp_path, TWO + '[routes.r]\ndeployments = [{ name = "a", weight = 0 }]\n')
    assert "routes.r.deployments" in wrong(tmp_path, TWO + '[routes.r]\ndeployments = ["a", "a"]\n')


def test_kinds_endpoints_and_files(tmp_path: Path) -> None:
    found = wrong(
        tmp_path,
        """
        [deployments.a]
        kind = "opnai"
        [deployments.b]
        kind = "azure"
        model = "m"
        [deployments.c]
        kind = "openai"
        endpoint = "ftp://example.org"
        [deployments.d]
        kind = "openai"
        model = "m"
        endpoint = "https://user:secret@example.org/v1"
        ca = "none.pem"
        """,
    )
    assert set(found) == {
        "deployments.a.kind",
        "deployments.b.endpoint",
        "deployments.c.endpoint",
        "deployments.c.model",
        "deployments.d.endpoint",
        "deployments.d.ca",
    }


def test_contracts_are_found_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "contracts").mkdir()
    for name in ("b", "a"):
        (tmp_path / "contracts" / f"{name}.toml").write_text(
            f'schema = "freehold.contract/1"\nid = "{name}"\nkind = "model-api"\n'
            '[party]\nsupplier = "openai"\n[term]\nstart = 2026-01-01\n'
        )
    config = read(tmp_path, '[contracts]\ninclude = ["contracts/*.toml"]')
    assert [path.name for path in config.contract_files] == ["a.toml", "b.toml"]
    assert {version.contract.id for version in config.register.versions} == {"a", "b"}
    (tmp_path / "contracts" / "b.toml").write_text("schema = 1")
    found = wrong(tmp_path, '[contracts]\ninclude = ["contracts/*.toml"]')
    assert any(where.endswith("b.toml:1: schema") for where in found), found
    (tmp_path / "contracts" / "b.toml").write_text("\nno TOML")
    assert any(where.endswith("b.toml:2") for where in wrong(tmp_path, '[contracts]\ninclude = ["contracts/*.toml"]'))
    assert "contracts.include[0]" in wrong(tmp_path, '[contracts]\ninclude = ["none/*.toml"]')
    assert "contracts.include[0]" in wrong(tmp_path, '[contracts]\ninclude = ["/etc/*.toml"]')


def test_default_limits_are_read(tmp_path: Path) -> None:
    read(tmp_path, '[access]\ndefault_limits = ["requests=60/minute", "budget=5.00 USD/day"]')
    assert "access.default_limits" in wrong(tmp_path, '[access]\ndefault_limits = ["60 a minute"]')


def test_the_hash_is_of_what_is_in_force(tmp_path: Path) -> None:
    one = read(tmp_path, TWO)
    assert one.hash == read(tmp_path, TWO + "\n# a comment\n").hash
    assert one.hash == read(tmp_path, TWO + "[server]\nworkers = 1\n").hash
    assert one.hash != read(tmp_path, TWO + "[server]\nworkers = 2\n").hash


def test_origins_and_secrets_in_what_is_shown(tmp_path: Path) -> None:
    config = read(tmp_path, TWO.replace('model = "m"', 'model = "m"\nkey = { env = "K" }'), K="sk-1")
    values = effective(config)
    assert values["deployments.a.key"] == "env:K"
    assert config.origins["deployments.a.key"] == "env K"
    assert config.origins["deployments.a.model"] == "file"
    assert "deployments.a.retries" not in config.origins
    assert "sk-1" not in str(values)


def test_deployments_can_be_hidden_behind_routes(tmp_path: Path) -> None:
    text = TWO + '[routes.r]\ndeployments = ["a"]\n'
    assert set(read(tmp_path, text).all_routes()) == {"a", "b", "r"}
    hidden = read(tmp_path, text + "[server]\nexpose_deployments = false\n")
    assert set(hidden.all_routes()) == {"r"}
    check_routes_exist(hidden, ["r"])
    with pytest.raises(ConfigError, match="no route is called 'a'"):
        check_routes_exist(hidden, ["a"])


def test_proxies_that_are_everybody_are_no_guard(tmp_path: Path) -> None:
    for proxies in ('"0.0.0.0/0"', '"0.0.0.0/1", "128.0.0.0/1"', '"10.0.0.2", "::/0"'):
        found = wrong(tmp_path, f'[server]\nlisten = "0.0.0.0:80"\ntrusted_proxies = [{proxies}]')
        assert set(found) == {"server.trusted_proxies"}
    read(tmp_path, '[server]\ntrusted_proxies = ["0.0.0.0/0"]')


@pytest.mark.parametrize("origin", ["foo", "https://", "https://a.example/", "https://A.example", "a.example:80", ""])
def test_what_is_no_web_origin(tmp_path: Path, origin: str) -> None:
    assert set(wrong(tmp_path, f'[server]\ncors_origins = ["{origin}"]')) == {"server.cors_origins[0]"}


def test_web_origins(tmp_path: Path) -> None:
    read(
        tmp_path, '[server]\ncors_origins = ["*", "https://a.example:8443", "http://localhost:3000", "http://[::1]:80"]'
    )


def test_a_kind_that_is_misspelt_is_answered_with_the_nearest(tmp_path: Path) -> None:
    assert "did you mean `llamacpp`?" in wrong(tmp_path, '[deployments.a]\nkind = "lamacpp"')["deployments.a.kind"]
    assert len(wrong(tmp_path, '[deployments.a]\nkind = "zzzz"')["deployments.a.kind"]) < 150


def test_a_models_file_that_is_wrong_is_one_problem_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text("[model.x]\n")
    found = wrong(tmp_path, '[engines]\ncatalogue = "models.toml"\n' + TWO)
    assert set(found) == {"engines.catalogue"}


def test_postgres_wants_its_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[store]\nurl = "postgresql://u@h/d"'
    read(tmp_path, text)
    monkeypatch.setattr("freehold.app.load.find_spec", lambda name: None)
    assert "asyncpg" in wrong(tmp_path, text)["store.url"]


class TestOptions:
    def options(self, tmp_path: Path, kind: str, options: str) -> dict[str, str]:
        endpoint = "" if kind in ("llamacpp", "command") else 'endpoint = "https://a.example"\n'
        model = "smollm2-135m-instruct" if kind == "llamacpp" else "m"
        text = f'[deployments.a]\nkind = "{kind}"\n{endpoint}model = "{model}"\noptions = {{ {options} }}\n'
        try:
            read(tmp_path, text)
        except Problems as e:
            return {p.where.removeprefix("deployments.a.options."): f"{p.message} | {p.hint}" for p in e.problems}
        return {}

    def test_those_of_another_kind_are_refused(self, tmp_path: Path) -> None:
        assert "it takes none" in self.options(tmp_path, "llamacpp", "foo = 1")["foo"]
        assert "did you mean `project`?" in self.options(tmp_path, "openai", 'projet = "p"')["projet"]
        assert set(self.options(tmp_path, "openai", "bearer = true")) == {"bearer"}
        assert set(self.options(tmp_path, "azure", 'project = "p"')) == {"project"}
        assert set(self.options(tmp_path, "openai", 'name = "other"')) == {"name"}

    def test_those_of_the_kind_are_taken(self, tmp_path: Path) -> None:
        assert self.options(tmp_path, "openai", 'project = "p", headers = { x-a = "1" }, stream_usage = "never"') == {}
        assert self.options(tmp_path, "azure", "bearer = true") == {}
        assert self.options(tmp_path, "mistral", 'max_tokens = "max_tokens"') == {}

    def test_their_types_are_judged(self, tmp_path: Path) -> None:
        found = self.options(tmp_path, "openai", 'project = 1, headers = { x-a = 1 }, stream_usage = "nver"')
        assert set(found) == {"project", "headers.x-a", "stream_usage"}
        assert "did you mean `never`?" in found["stream_usage"]

    def test_a_command(self, tmp_path: Path) -> None:
        good = 'command = "serve --port {port}", env = { A = "b" }, start_seconds = "5m", memory = "2 GB"'
        assert self.options(tmp_path, "command", good) == {}
        config = load(None, Environment({}), tmp_path)
        command = options.command("a", config.deployments["a"])
        assert (command.model, command.start_seconds, command.memory) == ("m", 300.0, 2_000_000_000)
        assert set(self.options(tmp_path, "command", 'command = ["serve", "{socket}"], healt = "/"')) == {"healt"}
        assert "is missing" in self.options(tmp_path, "command", "")["command"]
        assert "where to listen" in self.options(tmp_path, "command", 'command = "serve"')["command"]
        assert "{port}" in self.options(tmp_path, "command", "command = []")["command"]
        assert "into words" in self.options(tmp_path, "command", 'command = "serve \'{port}"')["command"]
        assert set(self.options(tmp_path, "command", 'command = "x {port}", model = "y"')) == {"model"}
