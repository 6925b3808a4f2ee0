"""Casts of scripted contestants for the arenas that tests open; each is a models.yaml written for the occasion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FORMATTED = """## Почему небо голубое

Солнечный свет — это **коробка карандашей**.

1. Красный пролетает почти прямо.
2. Синий отскакивает во все стороны.

| цвет | длина волны |
|---|---|
| синий | 450 |

Закон Рэлея: $I \\sim \\lambda^{-4}$

```python
for color in spectrum:
    print(color)
```
"""
PLAIN = "Короткий ответ: воздух рассеивает синий свет сильнее красного. " * 2
ENDLESS = "Это длинный рассказ о том, как устроено небо над нами и почему оно меняет цвет к вечеру. " * 400


def contestant(name: str, text: str, **script: Any) -> dict[str, Any]:
    """A scripted contestant with everything a nameplate can show."""
    return {
        "name": name,
        "engine": "fake",
        "organisation": f"{name} Works",
        "parameters": 7,
        "licence": "apache-2.0",
        "script": {"text": text, **script},
    }


def write(directory: Path, *cast: dict[str, Any], **more: Any) -> Path:
    """The models.yaml of this cast."""
    file = directory / "models.yaml"
    directory.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump({"contestants": list(cast), **more}, allow_unicode=True), encoding="utf-8")
    return file


QUICK = (contestant("Deneb", FORMATTED, reasoning="Надо вспомнить Рэлея."), contestant("Vega", PLAIN))
TOKEN = "only-the-operator-knows"
AT_LENGTH = {"decoding": {"max_tokens": 8192}}
SLOW = (
    AT_LENGTH | contestant("Deneb", ENDLESS, tokens_per_second=25, first_token_after=0.2),
    AT_LENGTH | contestant("Vega", ENDLESS, tokens_per_second=15, first_token_after=0.6, reasoning="Подумаем."),
)
PENSIVE = tuple(contestant(name, PLAIN, first_token_after=600) for name in ("Deneb", "Vega"))
FORGETFUL = (contestant("Deneb", PLAIN, fail_after=3, fail_from=1, failure="timeout"), contestant("Vega", PLAIN))
BROKEN = (contestant("Deneb", PLAIN, fail_after=3, failure="timeout"), contestant("Vega", PLAIN))
