"""What scorers say of a sheet, in the page's language: how it was scored, what was left out and why.

Scorers speak English, since their sheets are read by scripts too. It knows their sentences and no figure; a
sentence that it does not know stays as it is.
"""

from __future__ import annotations

from arena.ui.sentences import said

_RUSSIAN = (
    # how it was scored
    (
        "arena-hard {version}, baseline {baseline}, {rounds} bootstrap rounds of questions ({seeds}), {percent}%",
        "arena-hard {version}: сравнение с {baseline}, бутстрэп по вопросам {rounds} раз ({seeds}), "
        "интервал {percent} %",
    ),
    (
        "arena-hard {version}, baseline {baseline}, {rounds} bootstrap rounds of rows ({seeds}), {percent}%",
        "arena-hard {version}: сравнение с {baseline}, бутстрэп по строкам {rounds} раз ({seeds}), "
        "интервал {percent} %",
    ),
    (
        "arena-hard {version}, baseline {baseline}, {rounds} bootstrap rounds of rows ({seeds}), {percent}%, "
        "length control",
        "arena-hard {version}: сравнение с {baseline}, бутстрэп по строкам {rounds} раз ({seeds}), "
        "интервал {percent} %, поправка на длину",
    ),
    (  # sheets kept before the sentence said what was drawn
        "arena-hard {version}, baseline {baseline}, {rounds} bootstrap rounds ({seeds}), {percent}%",
        "arena-hard {version}: сравнение с {baseline}, бутстрэп {rounds} раз ({seeds}), интервал {percent} %",
    ),
    ("mt-bench, first verdict of a text counts", "mt-bench: из нескольких оценок в тексте считается первая"),
    ("mt-bench, last verdict of a text counts", "mt-bench: из нескольких оценок в тексте считается последняя"),
    (
        "alpaca-eval 2, length control from refit with gamed baselines",
        "alpaca-eval 2: поправка на длину подобрана вместе с подыгранными эталонами",
    ),
    ("alpaca-eval 2, length control from refit", "alpaca-eval 2: поправка на длину подобрана заново"),
    (
        "alpaca-eval 2, length control from published weights",
        "alpaca-eval 2: поправка на длину по опубликованным весам",
    ),
    ("{task}, strict and loose (eight variants)", "{task}: строго и нестрого (восемь вариантов)"),
    ("grounded-rag, documents given", "grounded-rag: документы даны вместе с вопросом"),
    ("lm-evaluation-harness 0.4 results", "результаты lm-evaluation-harness 0.4"),
    ("answers only", "только ответы"),
    # what was left out
    ("{count} games unscored: {labels}", "партий без вердикта: {count} ({labels})"),
    ("{count} rows unscored: {labels}", "строк без вердикта: {count} ({labels})"),
    (
        "{count} rows of the baseline against itself tell nothing and are left out",
        "строки эталона против него самого ни о чём не говорят и пропущены: {count}",
    ),
    ("{count} judgments stand twice, word for word: counted once", "повторов слово в слово: {count}, учтены один раз"),
    ("no answers of {models}: average tokens unknown", "нет ответов {models}: средняя длина неизвестна"),
    ("no lengths for {models}: left unweighted", "нет длин для {models}: без поправки"),
    ("{model}: {count} of {total} questions without an answer", "{model}: без ответа {count} из {total} вопросов"),
    ("no judge, so no score: name one with --judge", "судьи нет, поэтому нет и балла: назовите его в --judge"),
    ("{count} failed: {reason}", "не удалось: {count} ({reason})"),
    ("{count} grades not given or out of 1–10", "оценок нет или они вне 1–10: {count}"),
    ("{count} pairs without a verdict in both orders", "пар без вердикта в обоих порядках: {count}"),
    ("{count} judge texts without a verdict", "текстов судьи без вердикта: {count}"),
    ("{model}: {count} rows without a verdict left out", "{model}: строк без вердикта пропущено: {count}"),
    (
        "{model}: all {count} preferences are alike, so the standard error is not known",
        "{model}: все предпочтения одинаковы ({count}), поэтому стандартная ошибка неизвестна",
    ),
    (
        "{model}: {count} rows repeat an instruction; all are counted",
        "{model}: строк с повторной инструкцией: {count}, учтены все",
    ),
    (
        "{model}: {count} rows without difficulty or length left out of the fit",
        "{model}: строк без трудности или длины не вошло в подбор: {count}",
    ),
    (
        "{model}: no weights, so no length-controlled win rate",
        "{model}: весов нет, поэтому нет и доли побед с поправкой на длину",
    ),
    (
        "no gamed baselines: the refit is off by 1.3 points on average (give --gamed)",
        "без подыгранных эталонов подбор в среднем ошибается на 1,3 пункта (дайте --gamed)",
    ),
    ("{model}: {count} prompts without an answer left out", "{model}: заданий без ответа пропущено: {count}"),
    ("{count} instructions of unknown kind {kind} left out", "инструкций неизвестного вида {kind} пропущено: {count}"),
    (
        "{count} responses belong to no prompt, by key or by wording",
        "ответов без задания, по ключу и по тексту: {count}",
    ),
    ("{count} rows without a grade of 0–5 left out", "строк без оценки 0–5 пропущено: {count}"),
    ("{count} answers without a verdict of the judge", "ответов без вердикта судьи: {count}"),
    # remarks of published tables
    ("quoted from the {table} leaderboard", "по таблице {table}"),
    ("quoted from the {paper} article; translation may differ", "по статье о {paper}; перевод может отличаться"),
    ("quoted from the {paper} article", "по статье о {paper}"),
    ("without multi-turn, system prompt and chat template", "без продолжений, системной подсказки и шаблона чата"),
)
_WORDS = (
    ("no verdict", "нет вердикта"),
    ("the pair's other game", "другая партия той же пары"),
    ("sequential", "подряд"),
    ("round i seeded with i", "раунд i от зерна i"),
    ("seed ", "зерно "),
)
"""What may stand inside those sentences."""


def spoken(note: str, language: str) -> str:
    """The sentence in the page's language."""
    return said(note, language, _RUSSIAN, _inside)


def _inside(part: str) -> str:
    for english, russian in _WORDS:
        part = part.replace(english, russian)
    return part
