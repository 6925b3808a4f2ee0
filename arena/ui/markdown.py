"""Model output is hostile: Markdown from an answer, with nothing in it that is more than text.

Raw HTML becomes visible text and images become links, so that an answer can neither style the page
nor fetch anything. Code, tables, lists and formulas stay. Gradio sanitizes and the Content-Security
-Policy forbids again behind this; each of the three would do alone for what it covers.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_SPANS = re.compile(
    r"(?P<code>(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<math>\$\$.+?\$\$|\$[^$\n]+\$|\\\(.+?\\\)|\\\[.+?\\\])",
    re.DOTALL,
)
_TAG = re.compile(r"<(?=[a-zA-Z/!?])")
_WORD_JOINER = "\u2060"


def safe_markdown(text: str) -> str:
    """The answer as Markdown that shows what it says and does nothing."""
    parts: list[str] = []
    prose: list[str] = []
    fence = ""
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if fence:
            parts.append(line)
            if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif mark:
            parts += [_safe_prose("".join(prose)), line]
            prose, fence = [], mark[1]
        else:
            prose.append(line)
    return "".join(parts) + _safe_prose("".join(prose))


def quoted(text: str) -> str:
    """A voter's message as a Markdown quotation."""
    return "\n".join(f"> {line}" for line in safe_markdown(text).splitlines())


def _safe_prose(text: str) -> str:
    """Text outside fenced code: tags shown, images as links; code spans and formulas left alone."""
    if "<" not in text and "![" not in text:
        return text
    parts, end = [], 0
    for span in _SPANS.finditer(text):
        parts += [_shown(text[end : span.start()]), _kept(span)]
        end = span.end()
    return "".join([*parts, _shown(text[end:])])


def _kept(span: re.Match[str]) -> str:
    return span[0].replace("<", "\\lt ") if span["math"] else span[0]


def _shown(text: str) -> str:
    """Tags as text: an entity, or a word joiner in lines that may be indented code (entities would show there)."""
    text = text.replace("![", "[")
    lines = text.splitlines(keepends=True)
    return "".join(
        _TAG.sub("<" + _WORD_JOINER, line) if line.startswith(("    ", "\t")) else _TAG.sub("&lt;", line)
        for line in lines
    )
