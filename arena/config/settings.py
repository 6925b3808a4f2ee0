"""Every option of the program as one frozen value: defaults, environment, command line.

Each field carries its flag, its environment variable (`ARENA_` and the field's name) and a phrase
in both languages, so that the README's table is generated and tested. It knows no other file than
the storage directory's secret.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo

from arena.config.source import nearest
from arena.errors import ConfigError

PREFIX = "ARENA_"
_ELSEWHERE = ("ARENA_SHARED_DATA",)  # read by the tests alone


def _option(default: Any, en: str, ru: str, *, flag: str | None = None, shown: str | None = None, **limits: Any) -> Any:
    return Field(default, description=en, json_schema_extra={"ru": ru, "flag": flag, "shown": shown}, **limits)


class Settings(BaseModel):
    """What the operator chose. Seconds, hours, characters and GiB are named in the descriptions."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, protected_namespaces=(), allow_inf_nan=False
    )

    profile: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")] = _option(
        "auto",
        "Which models of the file take part: `gpu`, `cpu`, `demo`, or `auto`, which takes `gpu` when an NVIDIA GPU is "
        "visible, `cpu` when its models are on the disk already, else `demo` (on a ZeroGPU Space `zerogpu`)",
        "Какие модели файла участвуют: `gpu`, `cpu`, `demo` или `auto`: `gpu`, если видна карта NVIDIA, `cpu`, если "
        "его модели уже на диске, иначе `demo` (в Space с ZeroGPU — `zerogpu`)",
        flag="--profile",
    )
    models: Path = _option(
        Path("models.yaml"),
        "The file of contestants and judges",
        "Файл с участниками и судьями",
        flag="--models",
    )
    host: str = _option(
        "127.0.0.1",
        "The address to listen on; `0.0.0.0` on a Hugging Face Space",
        "Адрес, на котором слушает сервер; в Space — `0.0.0.0`",
        flag="--host",
        min_length=1,
    )
    port: int = _option(7860, "The port to listen on", "Порт сервера", flag="--port", ge=0, le=65535)
    database: str = _option(
        "",
        "Where votes are kept: a SQLite or PostgreSQL address",
        "Где хранятся голоса: адрес SQLite или PostgreSQL",
        flag="--database",
        shown="sqlite:///storage/arena.db",
        repr=False,
    )
    storage: Path = _option(
        Path("storage"),
        "The directory of everything written at run time",
        "Каталог всего, что пишется во время работы",
        flag="--storage",
    )
    secret: SecretStr | None = _option(
        None,
        "The key that signs voters' cookies and wraps the keys of their texts, at least 16 characters; without it, one "
        "is made and kept as `secret` in the storage directory, readable by its owner only",
        "Ключ подписи cookie и обёртка ключей к текстам, не короче 16 знаков; если не задан, создаётся и хранится в "
        "файле `secret` каталога данных с доступом только для владельца",
    )
    admin_token: SecretStr | None = _option(
        None,
        "Opens the operator's pages, at least 12 characters; without it they stay closed",
        "Открывает страницы оператора, не короче 12 знаков; если не задан, они закрыты",
    )
    language: Literal["auto", "ru", "en"] = _option(
        "auto",
        "The language of the page: `ru`, `en`, or `auto` by the browser",
        "Язык страницы: `ru`, `en` или `auto` по браузеру",
    )
    system_prompt: str = _option(
        "",
        "One neutral system prompt for all contestants that set none of their own; empty leaves it to the program",
        "Общая нейтральная системная подсказка для участников без своей; пусто — решает программа",
        shown="",
    )
    prompts: Path | None = _option(
        None,
        "A dataset of suggested prompts in the format of Arena-Hard's question.jsonl; it wins over the models file",
        "Набор подсказок для вопросов в формате question.jsonl от Arena-Hard; важнее файла моделей",
    )
    speed_blind: bool = _option(
        True,
        "Release both answers on one clock, so that the pace does not tell the models apart",
        "Показывать оба ответа в одном темпе, чтобы скорость не выдавала модель",
    )
    sign_in: Literal["offered", "required"] = _option(
        "offered",
        "On a Space with `hf_oauth: true` people may sign in, and one account is then one voter in every browser; with "
        "`required` only their votes are taken",
        "В Space с `hf_oauth: true` можно войти, и одна учётная запись — один голосующий в любом браузере; при "
        "`required` принимаются только их голоса",
    )
    max_prompt_chars: int = _option(
        8000, "The longest message, in characters", "Самое длинное сообщение, в знаках", ge=1, le=1_000_000
    )
    max_turns: int = _option(20, "The most turns in one battle", "Больше всего реплик в одной битве", ge=1, le=1000)
    grace_seconds: float = _option(
        10.0,
        "After so many seconds without a watching page a battle's generation is stopped",
        "Через столько секунд без открытой страницы генерация останавливается",
        ge=0,
        le=3600,
    )
    battle_ttl_hours: float = _option(
        24.0,
        "After so many hours a battle without a vote expires",
        "Через столько часов битва без голоса закрывается",
        gt=0,
    )
    undo_seconds: float = _option(
        30.0, "For so many seconds a vote can be taken back", "Столько секунд голос можно отменить", ge=0, le=3600
    )
    max_battles: int = _option(
        100,
        "The most battles that stream at once; more are asked to wait",
        "Больше всего битв сразу; прочие ждут",
        ge=1,
    )
    votes_per_minute: int = _option(
        30,
        "The most votes of one voter in a minute; 0 lifts the limit",
        "Больше всего голосов одного человека в минуту; 0 снимает ограничение",
        ge=0,
    )
    asks_per_minute: int = _option(
        20,
        "The most messages of one voter in a minute; 0 lifts the limit",
        "Больше всего сообщений одного человека в минуту; 0 снимает ограничение",
        ge=0,
    )
    address_share: int = _option(
        20,
        "One address may do as much as so many voters: an office shares one; 0 lifts the limit",
        "С одного адреса можно столько, сколько этому числу людей: у офиса он один; 0 снимает ограничение",
        ge=0,
    )
    max_streams: int = _option(
        4000,
        "The most open connections; who comes later is asked to wait",
        "Больше всего открытых соединений; пришедших позже просят подождать",
        ge=1,
    )
    preliminary_battles: int = _option(
        30,
        "Below so many battles a rating is marked preliminary",
        "Рейтинг по меньшему числу битв помечен предварительным",
        ge=0,
    )
    elo_k: float = _option(4.0, "K of the Elo rating", "K рейтинга Эло", gt=0)
    elo_start: float = _option(1000.0, "The Elo rating of a newcomer", "Рейтинг Эло новичка")
    elo_scale: float = _option(400.0, "The scale of the Elo rating", "Шкала рейтинга Эло", gt=0)
    judge_gate: float = _option(
        0.65,
        "A judge enters the combined leaderboard when the lower bound of its agreement with people, where both named a "
        "winner, reaches this share",
        "Судья входит в общий рейтинг, когда нижняя граница его согласия с людьми (там, где оба назвали победителя) "
        "достигает этой доли",
        ge=0,
        le=1,
    )
    judge_gate_battles: int = _option(
        100,
        "… over at least so many battles that both judged",
        "… не меньше чем на стольких боях, оценённых обоими",
        ge=1,
    )
    integrity_auto: bool = _option(
        False,
        "Hold suspicious votes back as soon as they are found; otherwise they are shown and wait for the operator's "
        "click. Either way they can be put back",
        "Откладывать подозрительные голоса, как только они найдены; иначе их показывают, и они ждут решения оператора. "
        "Вернуть их можно в любом случае",
    )
    backup_hours: float = _option(
        24.0,
        "Every so many hours the SQLite database is copied to storage/backups, the last 14 are kept; 0 is never",
        "Каждые столько часов база SQLite копируется в storage/backups, хранятся последние 14; 0 — никогда",
        ge=0,
    )
    vram: float | None = _option(
        None,
        "GiB of GPU memory that models may take; without it, nine tenths of what is free",
        "Сколько ГиБ памяти GPU можно занять моделями; если не задано, девять десятых свободной",
        gt=0,
    )
    threads: int = _option(
        1, "CPU threads of each model's process", "Потоков процессора на каждую модель", ge=1, le=512
    )
    seed: int | None = _option(
        None,
        "Makes the choice of pairs repeatable; without it, it differs from start to start",
        "Делает выбор пар повторимым; если не задано, он разный при каждом запуске",
        ge=0,
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _option(
        "INFO", "`DEBUG`, `INFO`, `WARNING` or `ERROR`", "`DEBUG`, `INFO`, `WARNING` или `ERROR`"
    )
    log_prompts: bool = _option(False, "Write what people ask into the log", "Писать вопросы людей в журнал")
    segments_repo: str = _option(
        "",
        "A private dataset repository of the Hugging Face Hub, `owner/name`, to which votes are pushed within 10 s and "
        "from which they come back after a restart: for a Space, whose disk is wiped; needs HF_TOKEN",
        "Закрытый репозиторий-датасет на Hugging Face Hub, `owner/name`: голоса отправляются туда за 10 с и "
        "возвращаются после перезапуска; для Space, чей диск стирается; нужен HF_TOKEN",
        shown="",
        pattern=r"^([\w.-]+/[\w.-]+)?$",
    )
    trusted_proxies: str = _option(
        "",
        "Addresses or networks of proxies whose forwarding headers are believed, separated by commas",
        "Адреса или сети прокси, чьим заголовкам можно верить, через запятую",
        shown="",
    )
    root_path: str = _option(
        "",
        "The path under which a proxy publishes the arena, such as `/arena`",
        "Путь, под которым арену показывает прокси, например `/arena`",
        shown="",
        pattern=r"^(/[\w./-]*)?$",
    )

    @field_validator("admin_token", mode="before")
    @classmethod
    def _token_of_a_header(cls, given: object) -> object:
        """As a browser sends it: without the line's end that a file of secrets leaves, in characters of a header."""
        token = given.get_secret_value() if isinstance(given, SecretStr) else given
        if not isinstance(token, str):
            return given
        token = token.strip()
        if not all(" " <= char <= "~" for char in token):
            raise ConfigError(
                "takes Latin letters, digits and signs in one line: no other token can be sent",
                key=variable("admin_token"), suggestion="openssl rand -hex 32",
            )  # fmt: skip
        return token

    @field_validator("root_path")
    @classmethod
    def _without_a_last_slash(cls, path: str) -> str:
        return path.rstrip("/")

    @model_validator(mode="before")
    @classmethod
    def _database_in_storage(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and not data.get("database"):
            folder = re.sub(r"[%?#]", lambda sign: quote(sign[0]), str(data.get("storage") or "storage"))
            return {**data, "database": f"sqlite:///{folder}/arena.db"}
        return data

    @model_validator(mode="after")
    def _secrets_are_long(self) -> Self:
        for name, least in (("secret", 16), ("admin_token", 12)):
            value: SecretStr | None = getattr(self, name)
            if value is not None and len(value.get_secret_value()) < least:
                raise ConfigError(
                    f"needs at least {least} characters", key=variable(name), suggestion="openssl rand -hex 32"
                )
        return self

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, **overrides: Any) -> Self:
        """Defaults, then `ARENA_…` variables (empty ones count as unset), then overrides that are not None.

        Raises `ConfigError` with the variable's name and never with the value of a secret.
        """
        given = {name: environ[variable(name)] for name in cls.model_fields if environ.get(variable(name))}
        if environ.get("SPACE_ID"):
            given.setdefault("host", "0.0.0.0")
        if "log_level" in given:
            given["log_level"] = given["log_level"].upper()
        given |= {name: value for name, value in overrides.items() if value is not None}
        try:
            return cls.model_validate(given)
        except ValidationError as failure:
            detail = failure.errors(include_url=False, include_input=False)[0]
            name = str(detail["loc"][0]) if detail["loc"] else "settings"
            raise ConfigError(
                detail["msg"],
                file="environment" if variable(name) in environ else "command line",
                key=variable(name),
                suggestion=nearest(name, cls.model_fields)
                if detail["type"] == "extra_forbidden"
                else _phrase(cls, name),
            ) from None

    @property
    def host_in_address(self) -> str:
        """The host as an address of the web holds it: IPv6 stands in brackets."""
        return f"[{self.host}]" if ":" in self.host and not self.host.startswith("[") else self.host

    def signing_key(self) -> bytes:
        """The key for cookies: the `secret`, else a random one kept in storage/secret with mode 0600."""
        if self.secret is not None:
            return self.secret.get_secret_value().encode()
        file = self.storage / "secret"
        with _told_of_storage():
            self.storage.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                _make_secret(file)
            return _kept_secret(file)

    def signing_keys(self) -> tuple[bytes, ...]:
        """The signing key and, where a file keeps another one, that: what was wrapped under it can still be opened."""
        key, file = self.signing_key(), self.storage / "secret"
        with _told_of_storage():
            former = _kept_secret(file) if file.exists() else key
        return (key,) if former == key else (key, former)


def variable(name: str) -> str:
    """The environment variable of a field."""
    return PREFIX + name.upper()


def unknown_variables(environ: Mapping[str, str] = os.environ) -> dict[str, str | None]:
    """`ARENA_…` variables that no option reads, each with the one that was probably meant."""
    known = {variable(name) for name in Settings.model_fields} | {*_ELSEWHERE}
    strange = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    fields = list(Settings.model_fields)
    return {name: nearest(name.removeprefix(PREFIX), fields) for name in strange}


def options_table(language: Literal["en", "ru"] = "en") -> str:
    """The Markdown table of all options for the README: flag, variable, default, meaning."""
    head = {
        "en": ("Option", "Variable", "Default", "Meaning"),
        "ru": ("Ключ", "Переменная", "По умолчанию", "Что значит"),
    }[language]
    rows = [head, ("---",) * 4, *(_row(name, field, language) for name, field in Settings.model_fields.items())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(name: str, field: FieldInfo, language: str) -> tuple[str, str, str, str]:
    extra: Mapping[str, Any] = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    default = extra["shown"] if extra["shown"] is not None else field.default
    shown = "—" if default in (None, "") else f"`{str(default).lower() if isinstance(default, bool) else default}`"
    meaning = extra["ru"] if language == "ru" else str(field.description)
    return (f"`{extra['flag']}`" if extra["flag"] else "—", f"`{variable(name)}`", shown, meaning)


def _phrase(model: type[BaseModel], name: str) -> str | None:
    field = model.model_fields.get(name)
    return field.description if field else None


def _make_secret(file: Path) -> None:
    """Keep a random key that only its owner reads; another process may have been quicker."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as stream:
        stream.write(secrets.token_hex(32))
        stream.flush()
        os.fsync(stream.fileno())  # the keys that it wraps will be on the disk as well


@contextmanager
def _told_of_storage() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{error.filename} cannot be used: {error.strerror}",
            key="ARENA_STORAGE",
            suggestion="name a folder that this user may write",
        ) from error


def _kept_secret(file: Path) -> bytes:
    key = file.read_bytes().decode(errors="replace").strip()
    if len(key) < 16 or "\x00" in key or "\N{REPLACEMENT CHARACTER}" in key:
        raise ConfigError(
            "the signing key is damaged",
            file=file,
            suggestion="put it back as it was; to delete the file is to lose every cookie and every stored text",
        )
    return key.encode()
