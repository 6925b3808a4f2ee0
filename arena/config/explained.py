"""What every key of models.yaml means, in a phrase of each language, as a table for the README.

It knows words only; which keys there are and what they take is the schema's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import BaseModel

from arena.config.contestants import Chat, Contestant, DecodingFields, FakeScript, Price

KEYS: Mapping[str, tuple[str, str]] = {
    "name": ("The name people see; unique", "Имя, которое видят люди; не повторяется"),
    "engine": (
        "`local` (the default), `openai`, `recorded`, `fake` or `zerogpu`",
        "`local` (по умолчанию), `openai`, `recorded`, `fake` или `zerogpu`",
    ),
    "model": (
        "A hub id `OWNER/NAME`, a directory, or the name an endpoint serves; `${NAME}` is taken from the environment",
        "Имя на хабе `OWNER/NAME`, каталог или имя модели на сервере; `${NAME}` берётся из окружения",
    ),
    "revision": ("The commit of the weights; pin it", "Коммит весов; закрепите его"),
    "quantization": (
        "`nf4` by default, `int8`, `bf16`, `fp16`, `fp32`, or `gptq`, `awq` as published; a list: one contestant each",
        "по умолчанию `nf4`; `int8`, `bf16`, `fp16`, `fp32` или `gptq`, `awq` готовыми; список: участник на каждую",
    ),
    "licence": ("As published", "Как опубликовано"),
    "organisation": ("Who made it", "Кто сделал"),
    "family": ("What it grew out of", "От какой модели произошла"),
    "languages": ("Codes of the languages it is meant for", "Коды языков, для которых она сделана"),
    "parameters": ("Billions", "Миллиарды параметров"),
    "context": ("Tokens that one conversation may take here", "Сколько токенов может занять беседа"),
    "context_max": ("Tokens the model was made for", "На сколько токенов рассчитана модель"),
    "decoding.temperature": ("0 is greedy", "0 — без случайности"),
    "decoding.top_p": ("Share of probability that is drawn from", "Доля вероятности, из которой выбирают"),
    "decoding.max_tokens": ("The longest answer", "Самый длинный ответ"),
    "decoding.seed": ("Makes draws repeatable", "Делает выбор повторимым"),
    "decoding.stop": ("Strings that end an answer", "Строки, которые завершают ответ"),
    "chat.system_role": (
        "`false` where the template has no system role (Gemma)",
        "`false`, если в шаблоне нет системной роли (Gemma)",
    ),
    "chat.documents_role": (
        "`true` where the template knows the role `documents` (Vikhr-Nemo)",
        "`true`, если шаблон знает роль `documents` (Vikhr-Nemo)",
    ),
    "chat.think": (
        "`true` for reasoning between `<think>` and `</think>`, or a pair of other tags",
        "`true` для рассуждений между `<think>` и `</think>` или пара других меток",
    ),
    "chat.opens_thinking": (
        "`true` where the template itself writes the opening tag",
        "`true`, если открывающую метку пишет сам шаблон",
    ),
    "chat.stop": ("Terminators besides the tokenizer's own", "Завершающие метки сверх заданных токенизатором"),
    "chat.template": ("A Jinja file instead of the tokenizer's template", "Файл Jinja вместо шаблона токенизатора"),
    "system_prompt": ("Instead of the neutral one", "Вместо нейтральной системной подсказки"),
    "base_url": ("Address of an OpenAI-compatible server", "Адрес сервера, совместимого с OpenAI"),
    "api_key_env": ("NAME of the variable that holds the key", "ИМЯ переменной окружения с ключом"),
    "price.prompt": ("Per million tokens asked", "За миллион токенов запроса"),
    "price.completion": ("Per million tokens answered", "За миллион токенов ответа"),
    "price.currency": ("Three letters, USD by default", "Три буквы, по умолчанию USD"),
    "spending_cap": ("The most to spend, in that currency", "Больше этого не тратить, в той же валюте"),
    "requests_per_minute": (
        "What the endpoint allows; contestants of one address and key share the largest of theirs",
        "Сколько запросов в минуту разрешает сервер; участники с одним адресом и ключом делят наибольшее",
    ),
    "concurrency": (
        "Answers at once, shared in the same way; a local model's memory is planned for so many full contexts",
        "Ответов одновременно, делится так же; память локальной модели считается на столько полных контекстов",
    ),
    "timeout": ("Seconds to wait for the next token", "Сколько секунд ждать следующий токен"),
    "answers": (
        "For `recorded`: a file in the format of Arena-Hard's model_answer",
        "Для `recorded`: файл в формате model_answer от Arena-Hard",
    ),
    "draft": (
        "A smaller model for speculative decoding; answers then come one after another",
        "Меньшая модель для спекулятивной генерации; ответы тогда идут по одному",
    ),
    "script.text": ("For `fake`: what it says", "Для `fake`: что отвечать"),
    "script.reasoning": ("What it thinks first", "Что сначала думать"),
    "script.tokens_per_second": ("Its pace; 0 is at once", "Темп; 0 — сразу"),
    "script.first_token_after": ("Seconds of silence first", "Секунды молчания в начале"),
    "script.fail_after": ("Words after which it fails", "Через сколько слов упасть"),
    "script.fail_from": ("Turns that it answers whole before", "Сколько реплик до этого ответить целиком"),
    "script.failure": ("How it fails: `timeout`, `rate_limited` …", "Как упасть: `timeout`, `rate_limited` …"),
    "trust_remote_code": (
        "`true` runs code from the model's repository: only where you have read it",
        "`true` исполняет код из хранилища модели: только если вы его прочли",
    ),
    "enabled": ("`false` keeps it in the file and out of battles", "`false` оставляет в файле, но не в битвах"),
    "toy": ("Labelled as a toy everywhere", "Везде помечена как игрушка"),
    "gated": ("The hub asks to accept terms first", "Хаб просит сначала принять условия"),
    "confirmed": ("`false`: the id was not found in public sources", "`false`: имя не нашлось в открытых источниках"),
    "note": ("Why it is disabled or restricted", "Почему выключена или ограничена"),
}

_PARTS: Mapping[str, type[BaseModel]] = {
    "decoding": DecodingFields,
    "chat": Chat,
    "price": Price,
    "script": FakeScript,
}


def known_keys() -> Iterator[str]:
    """Every key of an entry in the schema's order, parts of a part with a dot."""
    for name in Contestant.model_fields:
        if name in _PARTS:
            yield from (f"{name}.{inner}" for inner in _PARTS[name].model_fields)
        else:
            yield name


def keys_table(language: Literal["en", "ru"] = "en") -> str:
    """The Markdown table of the keys of an entry for the README."""
    head = ("Key", "Meaning") if language == "en" else ("Ключ", "Что значит")
    which = 0 if language == "en" else 1
    rows = [head, ("---", "---"), *((f"`{key}`", KEYS[key][which]) for key in known_keys())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
