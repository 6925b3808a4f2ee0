"""models.yaml is read whole or refused with the place and the mend of every fault."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from arena.config import Catalog, load_catalog, profiles_of
from arena.errors import ConfigError
from arena.types import Decoding


@pytest.fixture
def write(tmp_path: Path):
    def _write(text: str) -> Path:
        file = tmp_path / "models.yaml"
        file.write_text(dedent(text), encoding="utf-8")
        return file

    return _write


def load(file: Path, profile: str = "gpu", **environ: str) -> Catalog:
    return load_catalog(file, profile, environ)


def refusal(file: Path, profile: str = "gpu") -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(file, profile)
    return caught.value


def test_a_profile_adds_its_own_entries_to_those_of_every_profile(write) -> None:
    """The profile's entries stand first; another profile's are not there."""
    file = write("""
        contestants: [{name: shared, engine: fake}]
        profiles:
          gpu: {contestants: [{name: big, model: a/b}]}
          cpu: {contestants: [{name: small, model: a/c}]}
    """)
    assert [entry.name for entry in load(file, "gpu").contestants] == ["big", "shared"]
    assert [entry.name for entry in load(file, "cpu").contestants] == ["small", "shared"]
    assert profiles_of(file) == ("gpu", "cpu")


def test_a_file_without_profiles_serves_under_any_profile(write) -> None:
    """The smallest useful file is a list of contestants."""
    file = write("contestants: [{name: one, engine: fake}]")
    assert [entry.name for entry in load(file, "demo").enabled] == ["one"]
    assert profiles_of(file) == ()


def test_disabled_entries_are_listed_and_take_no_part(write) -> None:
    """`enabled` holds those that play, `contestants` all."""
    file = write("contestants: [{name: plays, engine: fake}, {name: rests, engine: fake, enabled: false}]")
    assert [entry.name for entry in load(file).enabled] == ["plays"]
    assert load(file).contestant("rests").enabled is False


def test_a_list_of_quantizations_becomes_contestants_that_share_all_else(write) -> None:
    """Names carry the quantization and fingerprints differ, so they are rated apart."""
    file = write("""
        contestants:
          - name: Q
            model: a/b
            quantization: [bf16, int8, nf4]
            decoding: {temperature: 0.3, max_tokens: 77}
    """)
    entries = load(file).contestants
    assert [entry.name for entry in entries] == ["Q (bf16)", "Q (int8)", "Q (nf4)"]
    assert [entry.quantization for entry in entries] == ["bf16", "int8", "nf4"]
    assert {entry.decoding for entry in entries} == {Decoding(temperature=0.3, max_tokens=77)}
    assert len({entry.fingerprint for entry in entries}) == 3


@pytest.mark.parametrize(
    ("entry", "mend"),
    [
        ("concurrency: 0", "write 1 or more"),
        ("concurrency: many", "write a whole number"),
        ("parameters: 7B", "write a number alone"),
        ("enabled: perhaps", "write true or false"),
        ("languages: ru", "in brackets"),
        ("revision: ''", "write it, or remove the key"),
        ("price: {prompt: 1}", "add it"),
        ("engine: vllm", "write one of those"),
        ("chat: gemma", "keys beneath"),
    ],
)
def test_every_fault_comes_with_a_mend(write, entry: str, mend: str) -> None:
    """Also those whose message a library words."""
    fault = refusal(write(f"contestants:\n  - name: a\n    model: o/a\n    {entry}\n"))
    assert (fault.line, mend in (fault.suggestion or "")) == (4, True), fault


@pytest.mark.parametrize(
    ("entry", "key", "words"),
    [
        ("{name: x, model: a/b, quantisation: nf4}", "quantisation", "did you mean quantization?"),
        ("{name: x, model: a/b, license: mit}", "license", "did you mean licence?"),
        ("{name: x, model: a/b, decoding: {temprature: 1}}", "decoding.temprature", "did you mean temperature?"),
        ("{name: x, model: a/b, chat: {stops: [a]}}", "chat.stops", "did you mean stop?"),
        ("{name: x, model: a/b, quantization: n4}", "quantization", "did you mean nf4?"),
        ("{name: x, model: a/b, quantization: [nf4, int9]}", "quantization", "did you mean int8?"),
        ("{name: x, model: a/b, quantization: [nf4, nf4]}", "quantization", "stand once"),
        ("{name: x, engine: vllm, model: a/b}", "engine", "'openai'"),
        ("{name: x, model: a/b, licence: no}", "licence", "write it in quotes"),
        ("{name: x, model: a/b, revision: 12345678}", "revision", "write it in quotes"),
        ("{name: x, engine: openai, model: m, base_url: localhost:8000}", "base_url", "http://127.0.0.1:8000/v1"),
        ("{name: x, engine: openai, model: m, base_url: 'http://me:pw@host/v1'}", "base_url", "user or a password"),
        ("{name: x, engine: openai, model: m}", None, "needs base_url"),
        ("{name: x, engine: recorded}", None, "needs answers"),
        ("{name: x}", None, "needs model"),
        ("{name: x, model: a/b, base_url: 'http://h/v1'}", None, "set engine: openai"),
        ("{name: x, engine: fake, spending_cap: 5}", None, "needs a price"),
        ("{name: x, model: a/b, context: 9000, context_max: 4096}", None, "fewer tokens"),
        ("{name: x, model: a/b, decoding: {temperature: -1}}", "decoding.temperature", "greater than or equal to 0"),
        ("{name: ' x', model: a/b}", "name", "plain name"),
        ("{name: x, engine: recorded, answers: nowhere.jsonl}", "answers", "nowhere.jsonl"),
        ("{name: x, model: a/b, chat: {template: nowhere.jinja}}", "chat.template", "nowhere.jinja"),
        ("{name: x, model: ./nowhere}", "model", "there is no directory nowhere"),
        ("{name: x, model: a/b, script: {text: hi}}", None, "set engine: fake"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_line_key_and_mend(write, entry: str, key: str | None, words: str) -> None:
    """Every fault names file, line, key and what to write instead."""
    file = write(f"\ncontestants:\n  - {{name: fine, engine: fake}}\n  - {entry}\n")
    error = refusal(file)
    assert (error.file, error.line) == (file, 4)
    assert error.key == ("contestants[1]" if key is None else f"contestants[1].{key}")
    assert words in str(error)


def test_all_faults_of_a_file_are_told_at_once_in_the_order_of_their_lines(write) -> None:
    """One start, one list to mend."""
    file = write("""
        contestants:
          - name: a
            engine: fake
            colour: red
          - name: b
            engine: fake
            timeout: 0
    """)
    error = refusal(file)
    assert error.line == 5
    assert [line.split(": ")[0].rsplit(":", 1)[1] for line in str(error).splitlines()] == ["5", "8"]


def test_a_name_given_twice_is_refused_with_both_lines(write) -> None:
    """Also between a profile's entries and those of every profile."""
    file = write("""
        contestants:
          - {name: same, engine: fake}
        profiles:
          gpu:
            contestants:
              - {name: same, engine: fake}
    """)
    error = refusal(file)
    assert {error.line, 7} == {3, 7}
    assert "line 7" in str(error)


@pytest.mark.parametrize(
    "entry",
    [
        "engine: openai\n    model: m\n    base_url: http://h/v1\n    api_key_env: sk-proj-abcdefghijklmnop1234",
        "engine: openai\n    model: m\n    base_url: http://h/v1\n    api_key_env: QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWV",
        "engine: openai\n    model: m\n    base_url: http://h/v1\n    api_key: sk-proj-abcdefghijklmnop1234",
        "engine: fake\n    note: use hf_abcdefghijklmnopqrstuv",
    ],
)
def test_a_pasted_secret_is_refused_and_never_repeated(write, entry: str) -> None:
    """The message names the line and the mend, not the value."""
    error = refusal(write(f"contestants:\n  - name: x\n    {entry}\n"))
    assert error.line is not None
    assert error.line > 2
    assert "environment" in str(error)
    assert not any(secret in str(error) for secret in ("abcdefghijklmnop", "QUJDREVG"))


def test_a_key_that_stands_twice_is_refused_instead_of_silently_overridden(write) -> None:
    """YAML itself would keep the last."""
    error = refusal(write("contestants:\n  - name: x\n    engine: fake\n    name: y\n"))
    assert (error.line, error.key) == (4, "name")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("contestants: [", "not valid YAML"),
        ("? [contestants]\n: []", "not valid YAML"),
        ("- a\n- b\n", "mapping"),
        ("contestant: []\n", "did you mean contestants?"),
        ("profiles: {gpu: {models: []}}\n", "no such key"),
        ("profiles: {gpuu: {}}\n", "did you mean gpuu?"),
        ("profiles: {ours: {}, theirs: {}}\n", "it has: ours, theirs"),
        ("prompts: {dataset: nowhere.jsonl}\n", "mend the path"),
        ("contestants: {name: x}\n", "must be a list"),
        ("contestants: [just text]\n", "mapping of keys"),
        ("contestants: [{name: !!python/object/apply:os.getcwd [], engine: fake}]\n", "not valid YAML"),
        ("prompts: {topics: [{title: {ru: а, en: b}, prompts: []}]}\n", "prompts.topics[0].prompts"),
        ("prompts: {dataset: nowhere.jsonl}\n", "nowhere.jsonl"),
        ("", "mapping"),
    ],
)
def test_a_malformed_file_is_refused_plainly(write, text: str, words: str) -> None:
    """No traceback of a library reaches the operator."""
    assert words in str(refusal(write(text)))


def test_a_missing_file_is_told_by_name(tmp_path: Path) -> None:
    """And how to name another."""
    error = refusal(tmp_path / "none.yaml")
    assert "none.yaml" in str(error)
    assert "--models" in str(error)


def test_variables_in_an_endpoint_come_from_the_environment(write) -> None:
    """A missing one is refused where the entry takes part, and only there."""
    text = """
        contestants:
          - {{name: y, engine: openai, base_url: 'http://h/v1', model: 'gpt://${{FOLDER}}/lite', enabled: {on}}}
    """
    assert load(write(text.format(on="true")), FOLDER="b1g").contestants[0].model == "gpt://b1g/lite"
    assert load(write(text.format(on="false"))).contestants[0].model == "gpt://${FOLDER}/lite"
    assert "export FOLDER=" in str(refusal(write(text.format(on="true"))))


def test_paths_are_meant_from_the_directory_of_the_file(write, tmp_path: Path) -> None:
    """So that a catalogue can be moved with its answers and templates."""
    (tmp_path / "answers.jsonl").write_text("{}")
    (tmp_path / "chat.jinja").write_text("{{ messages }}")
    file = write("""
        contestants:
          - {name: r, engine: recorded, answers: answers.jsonl}
          - {name: l, model: a/b, chat: {template: chat.jinja}}
    """)
    recorded, local = load(file).contestants
    assert recorded.answers == tmp_path / "answers.jsonl"
    assert local.chat.template == tmp_path / "chat.jinja"


def test_toys_live_under_the_storage_directory_in_use(write, tmp_path: Path) -> None:
    """And moving the directory does not make them other contestants."""
    file = write("contestants: [{name: t, model: storage/demo/toy-a, toy: true}]")
    moved = load_catalog(file, "demo", {}, storage=tmp_path).contestants[0]
    assert moved.model == str(tmp_path / "demo" / "toy-a")
    assert moved.fingerprint == load(file).contestants[0].fingerprint


def test_an_unknown_contestant_is_answered_with_the_nearest_name(write) -> None:
    """For `models check NAME` and the like."""
    catalog = load(write("contestants: [{name: T-lite, engine: fake}]\njudges: [{name: J, engine: fake}]"))
    with pytest.raises(ConfigError, match="did you mean T-lite"):
        catalog.contestant("t-light")
    assert catalog.judge("J").decoding.temperature == 0


@pytest.mark.parametrize("name", ["", "name: 5, ", 'name: "a ", '])
def test_a_list_of_quantizations_makes_no_name_of_none(tmp_path: Path, name: str) -> None:
    """What is wrong with the name is said of it, not hidden in "None (nf4)"."""
    file = tmp_path / "models.yaml"
    file.write_text(f"contestants:\n- {{{name}model: a/b, quantization: [nf4, int8]}}\n")
    with pytest.raises(ConfigError, match="name"):
        load_catalog(file, "demo", {})


def test_a_list_where_text_belongs_is_told_and_no_variable_looked_up_in_it(tmp_path: Path) -> None:
    """An endpoint's model is one name."""
    file = tmp_path / "models.yaml"
    file.write_text('contestants:\n- {name: a, engine: openai, base_url: "http://x/v1", model: ["${FOO}"]}\n')
    with pytest.raises(ConfigError, match="text"):
        load_catalog(file, "demo", {"FOO": "x"})
