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


def safe_markdown(text: str) -> str:
    """The answer as Markdown that shows what it says and does nothing."""
    text = _with_plain_dollars(text)
    parts: list[str] = []
    prose: list[str] = []
    fence = indent = ""
    lines = _DIAGRAM.sub(r"\1text", text).splitlines(keepends=True)
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if _unclear(line, mark, fence, indent):
            return "".join(parts) + _safe_prose("".join(prose)) + _doubtful("".join(lines[number:]))
        if fence:
            parts.append(line)
            if mark and mark[2].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif mark:
            parts += [_safe_prose("".join(prose)), line]
            prose, indent, fence = [], mark[1], mark[2]
        else:
            prose.append(line)
    return "".join(parts) + _safe_prose("".join(prose))


def _unclear(line: str, mark: re.Match[str] | None, fence: str, indent: str) -> bool:
    """Whether after this line one may read code where another reads prose: fences in lists and quotations."""
    if not fence:
        return mark is None and bool(_LIKE_A_FENCE.match(line))
    if not indent:
        return False
    return bool(line.strip()) and (not line.startswith(indent) or (mark is None and bool(_LIKE_A_FENCE.match(line))))


def _with_plain_dollars(text: str) -> str:
    """Formulas between single dollars in the other notation, so that for the page a dollar is a dollar.

    Gradio takes everything from one dollar to the next for a formula, over paragraphs too: "$5 now, $6 later". Here,
    as pandoc has it, a formula touches both its dollars and no digit follows; an amount with words is none either.
    """
    if text.count("$") < 2:
        return text
    parts, prose, fence = list[str](), list[str](), ""
    for line in text.splitlines(keepends=True):
        mark = _LIKE_A_FENCE.match(line)
        if mark and not (fence and mark[1][0] != fence):
            parts += [_formulas("".join(prose)), line]
            prose, fence = [], "" if fence else mark[1][0]
        elif fence:
            parts.append(line)
        else:
            prose.append(line)
    return "".join([*parts, _formulas("".join(prose))])


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
