"""ROUGE-L of an answer to a reference, by Google's rouge-score with words of any alphabet.

The library's own tokenizer keeps a–z and digits only, which leaves nothing of a Russian text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_WORD = re.compile(r"\w+")


class UnicodeWords:
    """Lower-cased runs of letters and digits; ё counts as е, as it is often typed."""

    def tokenize(self, text: str) -> list[str]:
        """The words of a text."""
        return _WORD.findall(text.lower().replace("ё", "е"))


def rouge_l(answer: str, reference: str) -> float:
    """F-measure of the longest common subsequence of words, 0–1."""
    return float(_scorer().score(reference, answer)["rougeL"].fmeasure)


@lru_cache(maxsize=1)
def _scorer() -> Any:
    from rouge_score import rouge_scorer

    library: Any = rouge_scorer  # ships without types
    return library.RougeScorer(["rougeL"], tokenizer=UnicodeWords())
