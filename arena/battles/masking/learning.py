"""Learns the weights of `evidence.py` from answers written by hand: `python -m arena.battles.masking.learning FILE …`,
and those of `asking.py` from prompts: `python -m arena.battles.masking.learning --prompts FILE`.

Logistic regression by AdaGrad with an L2 penalty (Duchi, Hazan and Singer, 2011), in plain Python, seeded:
the same files give the same weights. Run by whoever adds cases, never while serving.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from arena.battles.masking import asking, identity
from arena.battles.masking.evidence import WEIGHTS, form_signs, text_signs
from arena.battles.masking.masker import Masker, Masking
from arena.battles.masking.names import Found
from arena.battles.masking.weighing import BIAS

EPOCHS, RATE, PENALTY, SEEN = 30, 0.2, 1.0, 2
_INVISIBLE = {"\\u200b": "\u200b", "\\u2800": "\u2800", "\\u3164": "\u3164"}
TAUGHT = ("Vikhrmodels/Vikhr-Nemo-12B-Instruct", "t-tech/T-lite-it-1.0", "t-tech/T-pro-it-1.0",
    "Qwen/Qwen2.5-7B-Instruct", "IlyaGusev/saiga_nemo_12b", "meta-llama/Llama-3.1-8B-Instruct", "google/gemma-2-9b-it",
    "yandex/YandexGPT-5-Lite-8B-instruct", "ai-sage/GigaChat-20B-A3B-instruct",
    "mistralai/Mistral-Nemo-Instruct-2407", "RefalMachine/RuadaptQwen2.5-7B-Instruct", "allenai/Llama-3.1-Tulu-3-8B",
    "HuggingFaceTB/SmolLM2-1.7B-Instruct", "lightblue/suzume-llama-3-8B-multilingual", "argilla/notus-7b-v1",
    "PowerInfer/SmallThinker-3B-Preview", "RecursalAI/EagleX-v2-7B",
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B")  # fmt: skip
MAKERS = ("VikhrModels", "Vikhr models", "T-Bank", "T-Tech", "Alibaba Cloud", "Сбер", "Яндекс", "Google", "Meta",
    "Mistral AI and NVIDIA", "Ilya Gusev", "MSU RCC LAIR", "Ai2", "Lightblue", "Argilla", "PowerInfer", "Recursal AI",
    "DeepSeek", "Hugging Face")  # fmt: skip
"""The catalogue for which cases are marked: names in it are what an answer may give away."""


@dataclass(frozen=True, slots=True)
class Case:
    """A written answer; `leaks` are the places of names that give its model away."""

    text: str
    leaks: tuple[tuple[int, int], ...]


def read_cases(path: Path) -> Iterator[Case]:
    """Lines of "+" or "-", a tab and the answer, names that give away between ⟦ and ⟧, a new line as "\\n"."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield _case(line.split("\t", 1)[1].replace("\\n", "\n"))


def _case(marked: str) -> Case:
    text, leaks = "", []
    for part in marked.replace("⟧", "⟦").split("⟦"):
        leaks.append((len(text), len(text) + len(part)))
        text += part
    return Case(text, tuple(leaks[1::2]))


def read_prompts(path: Path) -> Iterator[tuple[str, bool]]:
    """Lines of "+" or "-", a tab and the prompt: whether it asks who answers."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            sign, prompt = line.split("\t", 1)
            yield prompt, sign == "+"


class _Lesson(Masking):
    """Walks an answer with the right decisions given, and notes the signs around every name."""

    def __init__(self, masker: Masker, case: Case, forms: bool) -> None:
        super().__init__(masker.finder, identity_asked=False)
        self._case, self._forms = case, forms
        self.rows: list[tuple[list[str], bool]] = []

    def weigh(self, found: Found) -> bool:
        """The right answer; what it could have been told by is noted."""
        leak = any(found.start < end and start < found.end for start, end in self._case.leaks)
        if self._case.leaks and not leak:
            return False  # what else a leaking answer names: whether that is masked too matters little
        around, *texts = self.surroundings(found)
        forms = form_signs(around) if self._forms else ()
        self.rows.append((sorted({*text_signs(around, *texts), *forms}), leak))
        return leak


def lessons(masker: Masker, cases: Iterable[Case], *, forms: bool) -> list[tuple[list[str], bool]]:
    """The signs around every name of the cases, and whether it gives away; `forms` leaves the grammar's verdict in."""
    rows = []
    for case in cases:
        lesson = _Lesson(masker, case, forms)
        lesson.feed(case.text)
        lesson.finish()
        rows += lesson.rows
    return rows


def learn(rows: Sequence[tuple[list[str], bool]], seed: int = 0) -> dict[str, float]:
    """The weight of every sign seen at least `SEEN` times."""
    counts = Counter(sign for signs, _ in rows for sign in signs)
    seen = [([BIAS, *(sign for sign in signs if counts[sign] >= SEEN)], leak) for signs, leak in rows]
    places = {sign: place for place, sign in enumerate(dict.fromkeys(sign for signs, _ in seen for sign in signs))}
    lines = [([places[sign] for sign in signs], float(leak)) for signs, leak in seen]
    weight, squares = [0.0] * len(places), [1e-6] * len(places)
    shrink = [0.0 if sign == BIAS else PENALTY / counts[sign] for sign in places]
    draw = random.Random(seed)
    for _ in range(EPOCHS):
        draw.shuffle(lines)
        for signs, leak in lines:
            wrong = 1 / (1 + math.exp(-sum([weight[sign] for sign in signs]))) - leak
            for sign in signs:
                slope = wrong + shrink[sign] * weight[sign]
                squares[sign] += slope * slope
                weight[sign] -= RATE * slope / math.sqrt(squares[sign])
    return dict(zip(places, weight, strict=True))


def digest(files: Iterable[Path]) -> str:
    """What the cases are known by in the heading of the weights."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def write_weights(weight: dict[str, float], learned_from: str, path: Path = WEIGHTS) -> None:
    """One sign a line, what counts for nothing left out."""
    rows = (f"{sign}\t{value:.2f}" for sign, value in sorted(weight.items()) if abs(value) >= 0.02)
    heading = "# sign\tweight: above 0 speaks for it. Written by learning.py; do not edit by hand."
    path.write_text("\n".join([heading, f"# cases: {learned_from}", *rows]) + "\n", encoding="utf-8")


def main(words: Sequence[str] | None = None) -> None:
    """Learn from files of cases; the first is the one that the grammar was written along, so its forms are left out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path, nargs="*")
    parser.add_argument("--prompts", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(words)
    if given.prompts:
        prompts = ((sorted(identity.signs(prompt)), asks) for prompt, asks in read_prompts(given.prompts))
        asked = [(found, asks) for found, asks in prompts if found]
        write_weights(learn(asked), digest([given.prompts]), given.out or asking.WEIGHTS)
        return
    files: list[Path] = given.cases
    masker = Masker.from_names(TAUGHT, MAKERS)
    rows = [row for place, path in enumerate(files) for row in lessons(masker, read_cases(path), forms=place > 0)]
    write_weights(learn(rows), digest(files), given.out or WEIGHTS)


if __name__ == "__main__":
    main()
