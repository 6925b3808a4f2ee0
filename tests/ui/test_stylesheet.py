"""Colours that carry text contrast as WCAG's level AA asks, in light and in dark, computed from the stylesheet."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from arena.ui import look

TEXT, LARGE = 4.5, 3.0
"""Ratios of WCAG 2.2, success criteria 1.4.3 (text) and 1.4.11 (graphics and large text)."""

PAIRS = [
    *((front, back, TEXT) for front in ("ink", "soft", "a", "b", "ok") for back in ("paper", "card")),
    *((front, back, TEXT) for front in ("ink", "soft", "ok") for back in ("a-tint", "b-tint")),
    *((front, back, TEXT) for front, back in (("a", "a-tint"), ("b", "b-tint"), ("bad", "card"), ("paper", "ink"))),
    *(("card", back, TEXT) for back in ("a", "b")),
    *(("focus", back, LARGE) for back in ("paper", "card")),
]


def palette(dark: bool) -> dict[str, str]:
    """The colours by name, as one of the two appearances defines them."""
    blocks = re.findall(r"^(:root|\.dark)[^{]*\{(.*?)\}", look.css(), re.DOTALL | re.MULTILINE)
    found: dict[str, str] = {}
    for selector, body in blocks:
        if selector == ":root" or dark:
            found |= dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{3,6})\b", body))
    return found


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2, definition of relative luminance)."""
    digits = colour.lstrip("#")
    digits = "".join(char * 2 for char in digits) if len(digits) == 3 else digits
    channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The ratio between the lighter and the darker."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_the_standard_computes_it() -> None:
    """Black on white is 21 to 1; the textbook grey #767676 just passes on white."""
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#fff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), PAIRS, ids=lambda value: str(value))
def test_text_can_be_read_on_its_background(front: str, back: str, least: float, dark: bool) -> None:
    """Every pair of colours that the stylesheet puts together."""
    colours = palette(dark)
    assert contrast(colours[front], colours[back]) >= least


def test_the_stylesheet_fetches_nothing() -> None:
    """No font, picture or sheet from anywhere; what moves can be stilled."""
    assert not re.search(r"@import|url\(|https?:", look.css())
    assert "prefers-reduced-motion" in look.css()


def test_the_script_holds_no_address_and_no_evaluated_text() -> None:
    """It speaks to its own server only; a voter's page is never turned from text into markup."""
    assert not re.search(r"https?:|document\.write|insertAdjacentHTML|eval\(", look.head())
    voters_page = (Path(look.__file__).parent / "static" / "arena.js").read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML", voters_page)
