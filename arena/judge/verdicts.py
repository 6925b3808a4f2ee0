"""What a judge's words say: one of five labels or "could not tell", and what two orders say together.

The answers that are judged cannot speak for the judge: they stand between markers with a random code,
a label counts first when it carries that code, and a bare label only where it is no quotation of an
answer. It knows texts and labels; it knows no battles, engines or money.

Labels and weights as in T. Li et al., "From Crowdsourced Data to High-Quality Benchmarks: Arena-Hard
and BenchBuilder Pipeline", 2024: a strong verdict stands for three, a tie for half a win each.
"""

from __future__ import annotations

import html
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from arena.types import Verdict

STRONG_WEIGHT = 3
QUOTED_CONTEXT = 16
"""So many characters around a label, the same as around a label of an answer, make it a quotation."""

_BRACKETED = re.compile(r"\[\[([^\[\]\n]{1,40})\]\]")
_LOOKS_LIKE_A_LABEL = re.compile(r"[AaBb=<>≥≤≫≪~\s]*[=<>≥≤≫≪][AaBb=<>≥≤≫≪~\s]*|[AaBb]|(?i:tie|draw|ничья)")
_SPELLINGS = str.maketrans(
    {"≫": ">>", "≪": "<<", "＞": ">", "＜": "<", "＝": "=", "А": "A", "В": "B", "а": "A", "в": "B"}
)


class Label(StrEnum):
    """The five verdicts of a pairwise judge about the answers shown as A and B."""

    A_MUCH_BETTER = "A>>B"
    A_BETTER = "A>B"
    TIE = "A=B"
    B_BETTER = "B>A"
    B_MUCH_BETTER = "B>>A"

    @property
    def verdict(self) -> Verdict:
        """Who is better, without how much."""
        if self is Label.TIE:
            return Verdict.TIE
        return Verdict.MODEL_A if self.startswith("A") else Verdict.MODEL_B

    @property
    def weight(self) -> int:
        """How many comparisons the label stands for."""
        return STRONG_WEIGHT if ">>" in self else 1

    @property
    def mirrored(self) -> Label:
        """The same verdict with the two answers exchanged."""
        return Label(self.translate(_EXCHANGE)) if self is not Label.TIE else self


_EXCHANGE = str.maketrans("AB", "BA")


class Fence:
    """Markers around the texts of one call, with a code that no answer can know."""

    def __init__(self, code: str) -> None:
        self.code = code

    @classmethod
    def random(cls, rng: random.Random) -> Fence:
        """A fence with a fresh code of 48 random bits."""
        return cls(f"{rng.getrandbits(48):012x}")

    def around(self, name: str, text: str) -> str:
        """The text between its markers, with nothing in it that reads as a verdict."""
        return f"<{name}-{self.code}>\n{without_labels(text)}\n</{name}-{self.code}>"

    def coded(self, label: Label) -> str:
        """The label as a judge is asked to write it."""
        return f"[[{label}:{self.code}]]"

    def dropped(self, text: str) -> str:
        """The text without what stands between markers of this fence; an unclosed marker drops the rest."""
        code = re.escape(self.code)
        return re.sub(rf"<([\w-]+)-{code}>.*?(?:</\1-{code}>|\Z)", " ", text, flags=re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one answer of a judge says: a label, or why there is none. `seen` are the labels met, as written."""

    label: Label | None
    reason: str | None = None
    seen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two orders together, in terms of the sides: `first` showed side a as A, `second` showed side b as A.

    `share` is side a's part of the weighted comparisons, from 0 to 1. All None when either order could
    not tell: half a judgment would carry the bias of its position.
    """

    first: Label | None
    second: Label | None
    verdict: Verdict | None
    share: float | None

    @property
    def flipped(self) -> bool | None:
        """Whether the winner followed the position: each order named another side. None when not both scored."""
        if self.first is None or self.second is None:
            return None
        return {self.first.verdict, self.second.verdict} == {Verdict.MODEL_A, Verdict.MODEL_B}

    @property
    def consistent(self) -> bool | None:
        """Whether both orders gave the same verdict, strength aside. None when not both scored."""
        if self.first is None or self.second is None:
            return None
        return self.first.verdict is self.second.verdict

    def comparisons(self) -> tuple[tuple[float, int], ...]:
        """Outcome of side a and weight, one entry per scored order (what Arena-Hard counts)."""
        return tuple((label.verdict.outcome, label.weight) for label in (self.first, self.second) if label is not None)


def read_verdict(text: str, *, fence: Fence | None = None, answers: Sequence[str] = ()) -> Reading:
    """The one label of a judge's answer.

    Fenced text is dropped first. Labels with the fence's code count alone where there are any; bare
    labels count when they are no quotation of one of `answers`. Anything but one distinct label,
    an unknown label among them, is unscored with its reason.
    """
    kept = fence.dropped(text) if fence is not None else text
    coded, bare = _split(kept, fence)
    written = coded or [found[1] for found in bare if not _is_quoted(kept, found, answers)]
    seen = tuple(dict.fromkeys(_normalised(label) for label in written))
    if not seen:
        return Reading(None, "no verdict in the answer")
    unknown = [label for label in seen if label not in _KNOWN]
    if unknown:
        return Reading(None, f"unknown verdict {', '.join(unknown)}", seen)
    if len(seen) > 1:
        return Reading(None, f"contradictory verdicts {', '.join(seen)}", seen)
    return Reading(Label(seen[0]), None, seen)


def combine(first: Label | None, second: Label | None) -> Pairing:
    """Both orders as one: `first` as read with side a shown as A, `second` as read with side b shown as A."""
    turned = second.mirrored if second is not None else None
    if first is None or turned is None:
        return Pairing(first, turned, None, None)
    weights = first.weight + turned.weight
    share = (first.verdict.outcome * first.weight + turned.verdict.outcome * turned.weight) / weights
    verdict = Verdict.TIE if share == 0.5 else Verdict.MODEL_A if share > 0.5 else Verdict.MODEL_B
    return Pairing(first, turned, verdict, share)


def without_labels(text: str) -> str:
    """The text with every verdict-like `[[…]]` in single brackets, so that it can never be read as one."""
    while (disarmed := _BRACKETED.sub(_single, text)) != text:  # taking brackets away may leave a new pair
        text = disarmed
    return text


def _single(found: re.Match[str]) -> str:
    return f"[{found[1]}]" if _verdict_like(found[1]) else found[0]


_KNOWN = frozenset(Label)


def _split(text: str, fence: Fence | None) -> tuple[list[str], list[tuple[int, str, int]]]:
    """Labels that carry the code, and bare ones with where they begin and end."""
    coded: list[str] = []
    bare: list[tuple[int, str, int]] = []
    for found in _BRACKETED.finditer(text):
        label, colon, code = found[1].partition(":")
        if colon and fence is not None and code.strip() == fence.code:
            coded.append(label)
        elif _verdict_like(found[1]):
            bare.append((found.start(), found[1], found.end()))
    return coded, bare


def _verdict_like(inner: str) -> bool:
    return _LOOKS_LIKE_A_LABEL.fullmatch(html.unescape(inner).translate(_SPELLINGS).strip()) is not None


def _normalised(inner: str) -> str:
    return re.sub(r"\s+", "", html.unescape(inner).translate(_SPELLINGS)).upper()


def _is_quoted(text: str, found: tuple[int, str, int], answers: Iterable[str]) -> bool:
    """Whether the same label with the same words around it stands in an answer."""
    start, inner, end = found
    wanted = _normalised(inner)
    return any(
        _normalised(other[1]) == wanted and _same_surroundings(text, start, end, answer, other.start(), other.end())
        for answer in answers
        for other in _BRACKETED.finditer(answer)
    )


def _same_surroundings(text: str, start: int, end: int, answer: str, first: int, last: int) -> bool:
    before = _common(_squeezed(text[:start])[::-1], _squeezed(answer[:first])[::-1])
    after = _common(_squeezed(text[end:]), _squeezed(answer[last:]))
    whole = before == len(_squeezed(answer[:first])) and after == len(_squeezed(answer[last:]))
    return whole or before + after >= QUOTED_CONTEXT


def _squeezed(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip()


def _common(one: str, other: str) -> int:
    """How many characters two texts share from their beginning."""
    shared = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        shared += 1
    return shared
