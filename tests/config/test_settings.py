"""Options come from defaults, the environment and the command line, in that order."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from arena.config import Settings, options_table, unknown_variables
from arena.config.settings import variable
from arena.errors import ConfigError


def test_defaults_serve_this_machine_alone() -> None:
    """Nothing set: loopback, port 7860, SQLite in storage/."""
    settings = Settings.from_environment({})
    assert (settings.host, settings.port) == ("127.0.0.1", 7860)
    assert settings.database == "sqlite:///storage/arena.db"
    assert settings.speed_blind is True


def test_a_space_listens_on_every_address() -> None:
    """Its router sits in another container."""
    assert Settings.from_environment({"SPACE_ID": "me/arena"}).host == "0.0.0.0"
    assert Settings.from_environment({"SPACE_ID": "me/arena", "ARENA_HOST": "10.0.0.1"}).host == "10.0.0.1"


def test_the_command_line_wins_over_the_environment() -> None:
    """An option that is not given (None) leaves the variable in force."""
    environ = {"ARENA_PORT": "8000", "ARENA_PROFILE": "cpu"}
    settings = Settings.from_environment(environ, port=9000, profile=None)
    assert (settings.port, settings.profile) == (9000, "cpu")


def test_the_database_follows_the_storage_directory(tmp_path: Path) -> None:
    """Unless it is named."""
    assert Settings(storage=tmp_path).database == f"sqlite:///{tmp_path}/arena.db"
    assert Settings(storage=tmp_path, database="sqlite:///x.db").database == "sqlite:///x.db"


@pytest.mark.parametrize(("word", "value"), [("off", False), ("0", False), ("true", True), ("yes", True)])
def test_switches_are_read_as_words(word: str, value: bool) -> None:
    """As shells write them."""
    assert Settings.from_environment({"ARENA_SPEED_BLIND": word}).speed_blind is value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ARENA_PORT", "http"),
        ("ARENA_PORT", "70000"),
        ("ARENA_LANGUAGE", "de"),
        ("ARENA_LOG_LEVEL", "loud"),
        ("ARENA_PROFILE", "../gpu"),
        ("ARENA_ROOT_PATH", "arena"),
        ("ARENA_VRAM", "-1"),
        ("ARENA_SECRET", "short"),
        ("ARENA_ADMIN_TOKEN", "short"),
    ],
)
def test_a_bad_variable_is_refused_by_name(name: str, value: str) -> None:
    """With what it means, and never with a secret's value."""
    with pytest.raises(ConfigError) as caught:
        Settings.from_environment({name: value})
    assert caught.value.key == name
    assert name not in ("ARENA_SECRET", "ARENA_ADMIN_TOKEN") or value not in str(caught.value)


def test_an_empty_variable_counts_as_unset() -> None:
    """Compose files and Spaces pass empty ones."""
    assert Settings.from_environment({"ARENA_PORT": ""}).port == 7860


def test_secrets_and_database_passwords_stay_out_of_logs() -> None:
    """The printed settings hold neither."""
    settings = Settings.from_environment(
        {"ARENA_SECRET": "s" * 20, "ARENA_ADMIN_TOKEN": "t" * 20, "ARENA_DATABASE": "postgresql://u:hunter2@h/d"}
    )
    assert not any(secret in repr(settings) for secret in ("s" * 20, "t" * 20, "hunter2"))
    assert settings.signing_key() == b"s" * 20


def test_the_signing_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    """A restart finds the same key."""
    settings = Settings(storage=tmp_path / "new")
    key = settings.signing_key()
    assert len(key) == 64
    assert settings.signing_key() == key
    assert stat.S_IMODE((tmp_path / "new" / "secret").stat().st_mode) == 0o600


@pytest.mark.parametrize("kept", [b"", b"SQLite format 3\x00" + b"\x9f" * 99, b"SQLite format 3\x00" * 9])
def test_a_damaged_signing_key_is_refused(tmp_path: Path, kept: bytes) -> None:
    """An empty key would sign anything, and what is no text was another file's."""
    (tmp_path / "secret").write_bytes(kept)
    with pytest.raises(ConfigError, match="delete the file"):
        Settings(storage=tmp_path).signing_key()
    with pytest.raises(ConfigError, match="delete the file"):
        Settings(storage=tmp_path, secret="s" * 20).signing_keys()


@pytest.mark.parametrize(
    ("host", "held"), [("::1", "[::1]"), ("[::1]", "[::1]"), ("127.0.0.1", "127.0.0.1"), ("arena.local", "arena.local")]
)
def test_an_address_holds_ipv6_in_brackets(tmp_path: Path, host: str, held: str) -> None:
    """The server and the line that says where it is need them; people write the bare number."""
    assert Settings(storage=tmp_path, host=host).host_in_address == held


def test_a_storage_that_cannot_be_written_is_told_in_a_line(tmp_path: Path) -> None:
    """A file in the folder's place stands here for a volume that belongs to somebody else."""
    (tmp_path / "storage").write_text("")
    with pytest.raises(ConfigError, match=r"ARENA_STORAGE: .*storage cannot be used: File exists \(name a folder"):
        Settings(storage=tmp_path / "storage").signing_key()


@pytest.mark.parametrize(("given", "path"), [("/arena", "/arena"), ("/arena/", "/arena"), ("/", ""), ("//", "")])
def test_the_published_path_ends_without_a_slash(given: str, path: str) -> None:
    """As every address that is built on it expects."""
    assert Settings.from_environment({"ARENA_ROOT_PATH": given}).root_path == path


@pytest.mark.parametrize("given", ["abcdefghijkl\n", " abcdefghijkl\r\n"])
def test_a_token_is_what_a_browser_can_send_of_it(given: str) -> None:
    """A file of secrets ends in a new line."""
    token = Settings.from_environment({"ARENA_ADMIN_TOKEN": given}).admin_token
    assert token is not None
    assert token.get_secret_value() == "abcdefghijkl"


@pytest.mark.parametrize("given", ["пароль-оператора", "abcdef\nghijkl", "abcdef\x7fghijkl"])
def test_a_token_that_no_header_can_bear_is_refused_at_the_start(given: str) -> None:
    """In words, and without repeating it."""
    with pytest.raises(ConfigError, match="ARENA_ADMIN_TOKEN: takes Latin letters") as refused:
        Settings.from_environment({"ARENA_ADMIN_TOKEN": given})
    assert given not in str(refused.value)


def test_a_misspelt_variable_is_noticed() -> None:
    """With the option that was probably meant."""
    found = unknown_variables({"ARENA_PROFLE": "gpu", "ARENA_PORT": "1", "HOME": "/"})
    assert found == {"ARENA_PROFLE": "did you mean profile?"}


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_option_stands_in_the_generated_table(language: str) -> None:
    """With a phrase in that language."""
    table = options_table(language)  # type: ignore[arg-type]
    rows = table.splitlines()[2:]
    assert len(rows) == len(Settings.model_fields)
    for name, row in zip(Settings.model_fields, rows, strict=True):
        assert f"`{variable(name)}`" in row
        assert len(row.split("|")) == 6
        assert any("а" <= letter <= "я" for letter in row) is (language == "ru")


def test_the_five_options_of_the_command_line_have_flags() -> None:
    """The rest is set by variables."""
    table = options_table()
    assert all(f"| `--{name}` |" in table for name in ("profile", "models", "host", "port", "database"))
