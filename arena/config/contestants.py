"""What a contestant, a judge and the suggested prompts are, as validated frozen values.

This module knows the shape of an entry and which keys belong together. It does not know the
file the entry stood in (`source`), how entries make a catalogue (`catalog`), or how an engine is
built from one (`arena.engines`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError, core_schema

from arena.types import Decoding

EngineName = Literal["local", "openai", "recorded", "fake", "zerogpu"]
Quantization = Literal["nf4", "int8", "bf16", "fp16", "fp32", "gptq", "awq"]
Failure = Literal[
    "model_unavailable", "endpoint", "access_denied", "rate_limited", "timeout", "context_overflow", "spending_cap"
]

ENGINES: tuple[EngineName, ...] = get_args(EngineName)
QUANTIZATIONS: tuple[Quantization, ...] = get_args(Quantization)

ENV_NAME = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_SECRET = re.compile(
    r"(?:sk|pk|rk)-[\w-]{12,}|hf_\w{16,}|gh[pousr]_\w{20,}|AIza[\w-]{20,}|AQVN[\w-]{20,}|xox[abp]-[\w-]{10,}"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def looks_like_a_secret(text: str) -> bool:
    """Whether a string carries a key of a known vendor's shape. The string itself must not be shown."""
    return _SECRET.search(text) is not None


def _fault(kind: str, message: str, suggestion: str) -> PydanticCustomError:
    """A validation error with a mend; the message must never hold the refused value of a secret."""
    return PydanticCustomError(kind, message, {"suggestion": suggestion})


def _env_name(value: str) -> str:
    random_looking = len(value) >= 16 and "_" not in value and any(map(str.isdigit, value))  # a key of capitals
    if random_looking or not ENV_NAME.fullmatch(value):
        raise _fault(
            "env_name",
            "this must be the NAME of an environment variable, and it does not look like one",
            "put the key into the environment, for example OPENAI_API_KEY=…, and write api_key_env: OPENAI_API_KEY",
        )
    return value


def _display_name(value: str) -> str:
    if value != value.strip() or not value or _CONTROL.search(value):
        raise _fault("name", "a name must be visible text without spaces at its ends", "give a plain name")
    return value


def _web_address(value: str) -> str:
    found = re.fullmatch(r"(https?)://([^/?#\s]+)([^?#\s]*)", value)
    if found is None:
        raise _fault(
            "base_url",
            "this must be an http:// or https:// address without query or fragment",
            "for example http://127.0.0.1:8000/v1",
        )
    if "@" in found[2]:
        raise _fault("base_url", "an address must not carry a user or a password", "name the key in api_key_env")
    return value.rstrip("/")


EnvName = Annotated[str, AfterValidator(_env_name)]
DisplayName = Annotated[str, Field(max_length=120), AfterValidator(_display_name)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Text = Annotated[str, Field(min_length=1)]
Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Frozen(BaseModel):
    """A value read from a file: unknown keys are refused and nothing changes afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, protected_namespaces=())


class DecodingFields(Frozen):
    """`arena.types.Decoding` as written in the file, with its limits."""

    temperature: float = Field(0.7, ge=0, le=2, allow_inf_nan=False)
    top_p: float = Field(0.95, gt=0, le=1, allow_inf_nan=False)
    max_tokens: int = Field(1024, ge=1, le=131_072)
    seed: int | None = Field(None, ge=0, lt=2**63)
    stop: tuple[Text, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_value(cls, data: object) -> object:
        return asdict(data) if isinstance(data, Decoding) else data

    def value(self) -> Decoding:
        """The same as the type that engines take."""
        return Decoding(self.temperature, self.top_p, self.max_tokens, self.seed, self.stop)


def _decoding_schema(_: object, handler: Callable[[object], core_schema.CoreSchema]) -> core_schema.CoreSchema:
    return core_schema.no_info_after_validator_function(
        DecodingFields.value,
        handler(DecodingFields),
        serialization=core_schema.plain_serializer_function_ser_schema(asdict),
    )


DecodingValue = Annotated[Decoding, GetPydanticSchema(_decoding_schema)]


def _tags(value: object) -> object:
    match value:
        case True:
            return ("<think>", "</think>")
        case False | None:
            return None
        case _:
            return value


class Chat(Frozen):
    """What is peculiar about a model's chat template.

    `system_role` False: the template has none (Gemma), so the system prompt goes before the first
    user message. `documents_role`: it knows the grounding role (Vikhr-Nemo). `think`: the tags of
    reasoning (True for <think>…</think>). `opens_thinking`: the template itself writes the opening
    tag, so the answer begins inside the reasoning. `stop`: terminators besides the tokenizer's own.
    `template`: a Jinja file that replaces the tokenizer's template.
    """

    system_role: bool = True
    documents_role: bool = False
    think: Annotated[tuple[Text, Text] | None, BeforeValidator(_tags)] = None
    opens_thinking: bool = False
    stop: tuple[Text, ...] = ()
    template: Path | None = None


class Price(Frozen):
    """What a paid endpoint asks per million tokens."""

    prompt: Money
    completion: Money
    currency: str = Field("USD", pattern=r"[A-Z]{3}")

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Money for so many tokens, in `currency`."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1_000_000


class FakeScript(Frozen):
    """What a `fake` contestant says and how fast; `fail_after` words it fails as `failure` says, after as many whole
    turns as `fail_from` says."""

    text: str = "…"
    reasoning: str = ""
    tokens_per_second: float = Field(0.0, ge=0, allow_inf_nan=False)
    first_token_after: float = Field(0.0, ge=0, allow_inf_nan=False)
    fail_after: int | None = Field(None, ge=0)
    fail_from: int = Field(0, ge=0)
    failure: Failure = "model_unavailable"


class Contestant(Frozen):
    """One entry of models.yaml: a model, how it is reached and what is to be said of it.

    `parameters` are billions, `timeout` seconds to the next token, prices and `spending_cap` in the
    price's currency. `context` is how many tokens a conversation may take here, `context_max` how
    many the model was made for. `concurrency` is how many answers it gives at once: a local model's
    memory is planned for that many full contexts. `confirmed` False says that the hub id was not
    found in public sources; `note` says why an entry is disabled, gated or restricted.
    """

    name: DisplayName
    engine: EngineName = "local"
    model: Text | None = None
    revision: Text | None = None
    quantization: Quantization | None = None
    licence: Text | None = None
    organisation: Text | None = None
    family: Text | None = None
    languages: tuple[Text, ...] = ()
    parameters: float | None = Field(None, gt=0, allow_inf_nan=False)
    context: int | None = Field(None, ge=16)
    context_max: int | None = Field(None, ge=16)
    decoding: DecodingValue = Decoding()
    chat: Chat = Chat()
    system_prompt: str | None = None
    base_url: WebAddress | None = None
    api_key_env: EnvName | None = None
    price: Price | None = None
    spending_cap: Money | None = None
    requests_per_minute: float | None = Field(None, gt=0, allow_inf_nan=False)
    concurrency: int = Field(8, ge=1, le=4096)
    timeout: float = Field(60.0, gt=0, le=3600)
    answers: Path | None = None
    draft: Text | None = None
    script: FakeScript | None = None
    trust_remote_code: bool = False
    enabled: bool = True
    toy: bool = False
    gated: bool = False
    confirmed: bool = True
    note: str = ""

    @field_validator("*", mode="before")
    @classmethod
    def _no_secrets(cls, value: object) -> object:
        if isinstance(value, str) and looks_like_a_secret(value):
            raise _fault(
                "secret",
                "this looks like a secret key, and secrets come from the environment only",
                "take it out of the file, revoke it, put the new one into the environment and name it in api_key_env",
            )
        return value

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        for needed in _NEEDED[self.engine]:
            if getattr(self, needed) is None:
                raise PydanticCustomError("missing_for_engine", "engine {engine} needs {needed}", {
                    "engine": self.engine, "needed": needed, "suggestion": f"add {needed}: …"})  # fmt: skip
        for key, engines in _ONLY_FOR.items():
            if self.engine not in engines and getattr(self, key) != type(self).model_fields[key].default:
                raise PydanticCustomError("not_for_engine", "{key} means nothing for engine {engine}", {
                    "key": key, "engine": self.engine, "suggestion": f"remove {key}, or set engine: {engines[0]}",
                })  # fmt: skip
        if self.context and self.context_max and self.context > self.context_max:
            raise _fault("context", "the model was made for fewer tokens", f"at most context_max: {self.context_max}")
        if self.spending_cap is not None and self.price is None:
            raise _fault("price", "a spending cap needs a price", "add price: {prompt: …, completion: …}")
        return self

    @property
    def paid(self) -> bool:
        """Whether answers cost money."""
        return self.price is not None and self.price.prompt + self.price.completion > 0

    @property
    def precision(self) -> Quantization | None:
        """What its weights are loaded in: nf4 where nothing is said; None where others hold them."""
        return self.quantization or ("nf4" if self.engine in ("local", "zerogpu") else None)

    @property
    def checkpoint(self) -> Path | None:
        """The directory of a local checkpoint; None for a hub id and for engines without weights."""
        if self.engine not in ("local", "zerogpu") or self.model is None:
            return None
        path = Path(self.model).expanduser()
        return path if path.is_dir() or not HUB_ID.fullmatch(self.model) else None

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that change with the weights, quantization, template or system prompt.

        A contestant whose fingerprint changed is a new contestant: old votes stay with the old one.
        """
        parts = {
            "model": Path(self.model).name if self.toy and self.model else self.model,
            "revision": self.revision,
            "quantization": self.quantization,
            "chat": self.chat.model_dump(mode="json", exclude={"template"}),
            "template": _digest(self.chat.template),
            "system_prompt": self.system_prompt,
            "answers": _digest(self.answers),
            "script": self.script.model_dump(mode="json") if self.script else None,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


class Judge(Contestant):
    """An entry that judges: greedy by default, with room for an explanation."""

    decoding: DecodingValue = Decoding(temperature=0.0, top_p=1.0, max_tokens=4096)


_NEEDED: Mapping[EngineName, tuple[str, ...]] = {
    "local": ("model",),
    "zerogpu": ("model",),
    "openai": ("base_url", "model"),
    "recorded": ("answers",),
    "fake": (),
}
_ONLY_FOR: Mapping[str, tuple[EngineName, ...]] = {
    "base_url": ("openai",),
    "api_key_env": ("openai",),
    "answers": ("recorded",),
    "script": ("fake",),
    "draft": ("local", "zerogpu"),
    "trust_remote_code": ("local", "zerogpu"),
}


def _digest(file: Path | None) -> str | None:
    """A file's content as a hash; a missing file is its path (the catalogue has refused it before)."""
    if file is None:
        return None
    try:
        state = file.stat()
        return _content_hash(file, state.st_mtime_ns, state.st_size)
    except OSError:
        return str(file)


@lru_cache(maxsize=256)
def _content_hash(file: Path, modified: int, size: int) -> str:
    """Hash of a file; its time and size stand in the key so that a changed file is read again."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Localized(Frozen):
    """One text in the two languages of the page."""

    ru: Text
    en: Text

    def in_language(self, language: str) -> str:
        """Russian for `ru`, English for anything else."""
        return self.ru if language == "ru" else self.en


class Topic(Frozen):
    """A named group of suggested prompts."""

    title: Localized
    prompts: tuple[Localized, ...] = Field(min_length=1)


class Prompts(Frozen):
    """Where the page's suggestions come from.

    `dataset` is a file in Arena-Hard's question.jsonl format and wins over `topics`. Both empty:
    the toys' own questions (profile demo).
    """

    dataset: Path | None = None
    topics: tuple[Topic, ...] = ()
