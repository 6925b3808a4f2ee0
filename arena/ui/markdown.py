"""Model output is hostile: Markdown from an answer, with nothing in it that is more than text.

Raw HTML becomes visible text and images become links, so that an answer can neither style the page
nor fetch anything. Code, tables, lists and formulas stay, and a price is no formula. Gradio sanitizes and the
Content-Security-Policy forbids again behind this; each of the three would do alone for what it covers.

No Markdown parser is imitated here. Where two readings of the same text are possible (a backtick
that may or may not open code, a fence that may or may not have ended), text is made harmless under
both: a word joiner after `<` shows nothing in code and breaks a tag outside of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

_FENCE = re.compile(r"^( {0,3})(`{3,}|~{3,})(?=[^`|<]*$)")
_LIKE_A_FENCE = re.compile(r"^[\s>*+\-\d.)]*(`{3,}|~{3,})")
_DIAGRAM = re.compile(r"(`{3,}|~{3,})[ \t]*mermaid", re.IGNORECASE)  # Gradio would draw it: a language of its own
_SPANS = re.compile(
    r"(?P<code>(?<!`)(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<math>\$\$.+?\$\$|\\\(.+?\\\)|\\\[.+?\\\])",
    re.DOTALL,
)
_DOLLARS = re.compile(
    r"(?P<kept>(?<!`)(?P<ticks>`{1,9})(?!`).{1,2000}?(?<!`)(?P=ticks)(?!`)"
    r"|\$\$.{1,2000}?\$\$|\\\(.{1,2000}?\\\)|\\\[.{1,2000}?\\\])"
    r"|(?<![\\$])\$(?![\s$])(?P<formula>(?:\\[^\n]|[^\\$\n]){1,500}?)(?<!\s)\$(?![\d$])",
    re.DOTALL,
)
_AMOUNT = re.compile(r"(?=\d)[^\\^_={}]*(?:[^\W\d_]{2}|[а-яё])", re.IGNORECASE)
_CODE = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)")
_TAG = re.compile(r"<(?=[a-zA-Z/!?])(?!https?://[^\s<>`]*>)")
_IMAGE = re.compile(r"!+\[")
_PARAGRAPHS = re.compile(r"(\n[ \t]*\n)")
_WORD_JOINER = "\u2060"

Place = TypeVar("Place")


def safe_markdown(text: str) -> str:
    """The answer as Markdown that shows what it says and does nothing."""
    return _harmless(_with_plain_dollars(text, "").text, _START).text


class GrowingMarkdown:
    """`safe_markdown` of a text that grows: what later text cannot change any more is read once.

    A frame so costs what is new in it, however long the answer has become.
    """

    def __init__(self) -> None:
        self._dollars, self._harmless = _Growing(_with_plain_dollars, ""), _Growing(_harmless, _START)

    def shown(self, text: str) -> str:
        """The same as `safe_markdown(text)`, quickly when `text` goes on where the last one ended."""
        return self._harmless.read(self._dollars.read(text))


@dataclass(frozen=True, slots=True)
class _Read(Generic[Place]):
    """A text as read; whatever comes, `settled` of its characters stay `said` of `text`, and go on from `place`."""

    text: str
    settled: int
    said: int
    place: Place


class _Growing(Generic[Place]):
    """One reading of a text that grows, taken up each time where it was settled."""

    def __init__(self, reading: Callable[[str, Place], _Read[Place]], start: Place) -> None:
        self._reading, self._start = reading, start
        self._source, self._said, self._place = "", "", start

    def read(self, text: str) -> str:
        if not text.startswith(self._source):
            self._source, self._said, self._place = "", "", self._start
        read = self._reading(text[len(self._source) :], self._place)
        shown = self._said + read.text
        if read.settled:
            self._said = shown[: len(self._said) + read.said]
            self._source, self._place = text[: len(self._source) + read.settled], read.place
        return shown


@dataclass(frozen=True, slots=True)
class _Place:
    """What is known between two lines: the open fence and its indent, or that nothing is sure any more."""

    fence: str = ""
    indent: str = ""
    doubtful: bool = False


_START, _DOUBTFUL = _Place(), _Place(doubtful=True)


class _Saying:
    """What one reading has said so far, and how far that is settled."""

    def __init__(self, place: Any) -> None:
        self.parts: list[str] = []
        self.prose: list[str] = []
        self._said = self._read = 0
        self._settled = 0, 0, place

    def take(self, source: str, line: str) -> None:
        """One more line of prose, as it is and as it is read on."""
        self._read += len(source)
        self.prose.append(line)

    def say(self, harmless: Callable[[str], str], source: str = "", line: str = "") -> None:
        """The prose so far, made what it shall be, and a line that is no prose."""
        self._read += len(source)
        for part in (harmless("".join(self.prose)), line):
            self._said += len(part)
            self.parts.append(part)
        self.prose = []

    def settle(self, source: str, place: Any) -> None:
        """All that was said holds, if the last line is whole."""
        if source.endswith("\n"):
            self._settled = self._read, self._said, place

    def end(self, harmless: Callable[[str], str]) -> _Read[Any]:
        """The prose that is left, unsettled."""
        self.say(harmless)
        return _Read("".join(self.parts), *self._settled)


def _harmless(text: str, place: _Place) -> _Read[_Place]:
    """Line by line from a place on; a paragraph, a line of code and a doubtful line settle when they are whole."""
    saying = _Saying(place)
    for source in text.splitlines(keepends=True):
        line = _DIAGRAM.sub(r"\1text", source)
        after = _after(line, place)
        if after.doubtful or place.fence or after.fence:
            saying.say(_safe_prose, source, _doubtful(line) if after.doubtful else line)
        else:
            saying.take(source, line)
            if not _ends_a_paragraph(saying.prose):
                continue
            saying.say(_safe_prose)
        place = after
        saying.settle(source, place)
    return saying.end(_safe_prose)


def _after(line: str, place: _Place) -> _Place:
    """The place behind a line."""
    mark = _FENCE.match(line)
    if place.doubtful or _unclear(line, mark, place.fence, place.indent):
        return _DOUBTFUL
    if place.fence:
        closes = mark and mark[2].startswith(place.fence) and not line.strip().strip(place.fence[0])
        return _START if closes else place
    return _Place(mark[2], mark[1]) if mark else place


def _ends_a_paragraph(prose: Sequence[str]) -> bool:
    """Whether the last of these lines is the empty one that no paragraph reaches across."""
    if prose[-1].strip(" \t") != "\n":
        return False
    ends = [gap.end() for gap in _PARAGRAPHS.finditer("".join(prose))]
    return bool(ends) and ends[-1] == sum(map(len, prose))


def _unclear(line: str, mark: re.Match[str] | None, fence: str, indent: str) -> bool:
    """Whether after this line one may read code where another reads prose: fences in lists and quotations."""
    if not fence:
        return mark is None and bool(_LIKE_A_FENCE.match(line))
    if not indent:
        return False
    return bool(line.strip()) and (not line.startswith(indent) or (mark is None and bool(_LIKE_A_FENCE.match(line))))


def _with_plain_dollars(text: str, fence: str) -> _Read[str]:
    """Formulas between single dollars in the other notation, so that for the page a dollar is a dollar.

    Gradio takes everything from one dollar to the next for a formula, over paragraphs too: "$5 now, $6 later". Here,
    as pandoc has it, a formula touches both its dollars and no digit follows; an amount with words is none either.
    """
    saying = _Saying(fence)
    for line in text.splitlines(keepends=True):
        mark = _LIKE_A_FENCE.match(line)
        if mark and not (fence and mark[1][0] != fence):
            fence = "" if fence else mark[1][0]
            saying.say(_formulas, line, line)
        elif fence:
            saying.say(_formulas, line, line)
        else:
            saying.take(line, line)
            if not _ends_a_paragraph(saying.prose):
                continue
            saying.say(_formulas)
        saying.settle(line, fence)
    return saying.end(_formulas)


def _formulas(text: str) -> str:
    return "".join(_DOLLARS.sub(_rewritten, part) if "$" in part else part for part in _PARAGRAPHS.split(text))


def _rewritten(found: re.Match[str]) -> str:
    formula = found["formula"]
    return found[0] if formula is None or _AMOUNT.match(formula) else f"\\({formula}\\)"


def quoted(text: str) -> str:
    """A voter's message as a Markdown quotation."""
    return "\n".join(f"> {line}" for line in safe_markdown(text).splitlines())


def _safe_prose(text: str) -> str:
    """Text outside fenced code: tags shown, images as links; code spans and formulas left alone."""
    if "<" not in text and "![" not in text:
        return text
    return "".join(_safe_paragraph(part) for part in _PARAGRAPHS.split(text))


def _safe_paragraph(text: str) -> str:
    sure = _sure_of_code(text)
    parts, end = [], 0
    for span in _SPANS.finditer(text):
        parts += [_shown(text[end : span.start()]), _kept(span, sure)]
        end = span.end()
    return "".join([*parts, _shown(text[end:])])


def _sure_of_code(paragraph: str) -> bool:
    """Whether every reading finds the same code spans: each line closes its own, nothing escapes or competes."""
    if "$" in paragraph or "\\" in paragraph:
        return False
    return not any("`" in _CODE.sub("", line) for line in paragraph.splitlines())


def _kept(span: re.Match[str], sure: bool) -> str:
    if span["math"]:
        return span[0].replace("<", "\\lt ").replace("![", "! [")
    if sure and "|" not in span[0]:  # a table's cell may end within what looks like code
        return span[0]
    return _doubtful(span[0])


def _doubtful(text: str) -> str:
    """Text that may be code and may be prose."""
    return _TAG.sub("<" + _WORD_JOINER, text).replace("![", f"!{_WORD_JOINER}[")


def _shown(text: str) -> str:
    """Tags as text: an entity, or a word joiner in lines that may be indented code (entities would show there)."""
    text = _IMAGE.sub("[", text)
    lines = text.splitlines(keepends=True)
    return "".join(
        _TAG.sub("<" + _WORD_JOINER, line) if line.startswith(("    ", "\t")) else _TAG.sub("&lt;", line)
        for line in lines
    )
