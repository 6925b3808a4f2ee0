"""IFEval (English) and ruIFEval: does the answer follow instructions that a program can check?

Sources: google-research `instruction_following_eval` (Apache-2.0; Zhou et al. 2023) and
NLP-Core-Team/ruIFEval. An item, invented here:

    {"key": 9001, "prompt": "Describe rain in 40+ words without commas.",
     "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
     "kwargs": [{}, {"relation": "at least", "num_words": 40}]}

An answer counts at prompt level when it follows all its instructions, at instruction level each
counts alone; strictly as it stands, loosely in any of eight variants. ruIFEval keeps the ids and
arguments with Russian text: words are compared by lemma, capitals and small letters must be Russian.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from arena.benchmarks.files import as_text, read_rows, stem
from arena.benchmarks.questions import HubFile
from arena.benchmarks.scorers.instructions.checks import CHECKS
from arena.benchmarks.scorers.instructions.following import Flag, Following, Instruction, following
from arena.benchmarks.scorers.instructions.reading import ENGLISH, RUSSIAN
from arena.benchmarks.task import Benchmark, JudgedBy, ScoreSheet
from arena.errors import FileFormatError

NAME, RUSSIAN_NAME = "ifeval", "ru-ifeval"
BENCHMARKS = (
    Benchmark(
        NAME,
        "IFEval",
        "en",
        JudgedBy.PROGRAM,
        "google/IFEval on the hub (Apache-2.0)",
        HubFile("google/IFEval", "ifeval_input_data.jsonl"),
    ),
    Benchmark(RUSSIAN_NAME, "ruIFEval", "ru", JudgedBy.PROGRAM, "the data folder of NLP-Core-Team/ruIFEval"),
)
Language = Literal["en", "ru"]
_READINGS = {"en": ENGLISH, "ru": RUSSIAN}


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt with its instructions; `key` is unique, the wording need not be."""

    key: str
    text: str
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """One model's answer to one prompt and what it follows."""

    model: str
    prompt: Prompt
    flags: Following

    def as_flags(self) -> dict[str, Any]:
        """The line of the `--flags` file."""
        key = self.prompt.key
        return {
            "model": self.model,
            "key": int(key) if key.isdigit() else key,
            "strict": list(self.flags.strict),
            "loose": list(self.flags.loose),
        }


def read_prompts(path: Path) -> list[Prompt]:
    """`key, prompt, instruction_id_list, kwargs`; arguments that are null are not set."""
    prompts = []
    for line, record in read_rows(path):
        kinds, arguments = record.get("instruction_id_list"), record.get("kwargs")
        if not isinstance(kinds, list) or not isinstance(arguments, list) or len(kinds) != len(arguments):
            raise FileFormatError("instruction_id_list and kwargs are lists of one length", path=path, line=line)
        instructions = tuple(
            Instruction(str(kind), {name: value for name, value in (given or {}).items() if value is not None})
            for kind, given in zip(kinds, arguments, strict=True)
        )
        key = as_text(record.get("key")) or str(line)
        prompts.append(Prompt(key, as_text(record.get("prompt")), instructions))
    twice = [key for key, count in Counter(prompt.key for prompt in prompts).items() if count > 1]
    if twice:
        raise FileFormatError(f"several prompts have the key {twice[0]}; give each its own", path=path)
    return prompts


@dataclass(frozen=True, slots=True)
class Responses:
    """Answers by model: under the prompt's key where the file has keys, else under its wording, in order."""

    by_key: Mapping[str, Mapping[str, str]]
    by_wording: Mapping[str, Mapping[str, Sequence[str]]]

    def strangers(self, prompts: Sequence[Prompt]) -> int:
        """How many keys and wordings belong to no prompt."""
        keys, wordings = {prompt.key for prompt in prompts}, {prompt.text.strip() for prompt in prompts}
        return sum(len(answers.keys() - keys) for answers in self.by_key.values()) + sum(
            len(answers.keys() - wordings) for answers in self.by_wording.values()
        )

    @property
    def models(self) -> tuple[str, ...]:
        """Who answered, in order of appearance."""
        return tuple(dict.fromkeys([*self.by_key, *self.by_wording]))

    def of(self, model: str, prompts: Sequence[Prompt]) -> Iterator[tuple[Prompt, str | None]]:
        """Every prompt with the model's answer, None for none. A wording met twice takes its answers in turn."""
        keyed, worded = self.by_key.get(model, {}), self.by_wording.get(model, {})
        met: Counter[str] = Counter()
        for prompt in prompts:
            answer = keyed.get(prompt.key)
            answers = worded.get(prompt.text.strip(), ())
            if answer is None and answers:
                answer = answers[min(met[prompt.text], len(answers) - 1)]
                met[prompt.text] += 1
            yield prompt, answer


def read_responses(path: Path) -> Responses:
    """`prompt, response` or `model, key, response`, as JSON lines, CSV or Parquet; no model is the file's name."""
    keyed: defaultdict[str, dict[str, str]] = defaultdict(dict)
    worded: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for number, record in read_rows(path):
        if "response" not in record or ("key" not in record and "prompt" not in record):
            raise FileFormatError("a row has `response` and `key` or `prompt`", path=path, line=number)
        model = as_text(record.get("model")) or stem(path)
        response = as_text(record["response"])
        if key := as_text(record.get("key")):
            if keyed[model].setdefault(key, response) != response:
                raise FileFormatError(
                    f"{model} answers prompt {key} twice, differently; keep one", path=path, line=number
                )
        else:
            worded[model][as_text(record["prompt"]).strip()].append(response)
    return Responses(keyed, worded)


def check(prompts: Sequence[Prompt], responses: Responses, language: Language = "en") -> list[Checked]:
    """The flags of every answered prompt of every model."""
    return [
        Checked(model, prompt, _flags(answer, prompt, language))
        for model in responses.models
        for prompt, answer in responses.of(model, prompts)
        if answer is not None
    ]


def _flags(answer: str, prompt: Prompt, language: Language) -> Following:
    try:
        return following(answer, prompt.instructions, _READINGS[language])
    except (KeyError, TypeError, ValueError) as error:
        kinds = ", ".join(instruction.kind for instruction in prompt.instructions)
        raise FileFormatError(f"prompt {prompt.key} ({kinds}): its kwargs lack or misname {error}") from error


def score(
    prompts: Sequence[Prompt], checked: Sequence[Checked], language: Language = "en", *, strangers: int = 0
) -> ScoreSheet:
    """Accuracies 0–100 at prompt and instruction level; unanswered prompts and unknown kinds are left out and told."""
    by_model: defaultdict[str, list[Checked]] = defaultdict(list)
    for item in checked:
        by_model[item.model].append(item)
    rows = [_row(model, items) for model, items in by_model.items()]
    missing = {model: len(prompts) - len(items) for model, items in by_model.items() if len(items) < len(prompts)}
    unknown = Counter(kind.kind for item in checked for kind in item.prompt.instructions if kind.kind not in CHECKS)
    notes = [f"{model}: {count} prompts without an answer left out" for model, count in missing.items()]
    notes += [f"{count} instructions of unknown kind {kind} left out" for kind, count in unknown.items()]
    if strangers:
        notes.append(f"{strangers} responses belong to no prompt, by key or by wording")
    name = NAME if language == "en" else RUSSIAN_NAME
    return ScoreSheet(
        name,
        f"{name}, strict and loose (eight variants)",
        sorted(rows, key=lambda row: -(row["prompt_strict"] or 0)),
        sum(missing.values()) + unknown.total(),
        notes,
        {"instructions": list(_by_kind(by_model))},
    )


def _row(model: str, items: Sequence[Checked]) -> dict[str, Any]:
    strict, loose = [item.flags.strict for item in items], [item.flags.loose for item in items]
    return {
        "model": model,
        "prompt_strict": _percent(_whole(flags) for flags in strict),
        "instruction_strict": _percent(flag for flags in strict for flag in flags),
        "prompt_loose": _percent(_whole(flags) for flags in loose),
        "instruction_loose": _percent(flag for flags in loose for flag in flags),
    }


def _whole(flags: Sequence[Flag]) -> Flag:
    """Whether all known instructions are followed; unknown when none is known."""
    known = [flag for flag in flags if flag is not None]
    return all(known) if known else None


def _percent(flags: Iterable[Flag]) -> float | None:
    known = [flag for flag in flags if flag is not None]
    return 100 * sum(known) / len(known) if known else None


def _by_kind(by_model: Mapping[str, Sequence[Checked]]) -> Iterator[dict[str, Any]]:
    for model, items in by_model.items():
        strict: defaultdict[str, list[Flag]] = defaultdict(list)
        loose: defaultdict[str, list[Flag]] = defaultdict(list)
        for item in items:
            for place, instruction in enumerate(item.prompt.instructions):
                strict[instruction.kind].append(item.flags.strict[place])
                loose[instruction.kind].append(item.flags.loose[place])
        for kind in sorted(strict):
            yield {
                "model": model,
                "instruction": kind,
                "n": len(strict[kind]),
                "strict": _percent(strict[kind]),
                "loose": _percent(loose[kind]),
            }
