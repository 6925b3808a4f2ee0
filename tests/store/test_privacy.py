"""Exports hide telephones, e-mails, INN, SNILS, passports and cards, and leave other numbers alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.store.privacy import Found, Personal, find_personal, inn, luhn, mask_personal, snils
from perf.promises import tell

MARK = re.compile(r"⟦(\w+):([^⟧]*)⟧")


def written(name: str) -> list[str]:
    """The marked texts of a file."""
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t", 1)[1].replace("\\n", "\n") for line in lines if not line.startswith("#")]


def unmarked(case: str) -> tuple[str, list[Found]]:
    """The plain text and where its personal data stands."""
    text, marks, last = "", [], 0
    for found in MARK.finditer(case):
        text += case[last : found.start()]
        marks.append(Found(len(text), len(text) + len(found[2]), Personal(found[1])))
        text, last = text + found[2], found.end()
    return text + case[last:], marks


def covers(found: Found, mark: Found, text: str) -> bool:
    """Whether nothing readable of the marked piece remains, and it was told by its kind."""
    if found.kind is not mark.kind or found.end <= mark.start or mark.end <= found.start:
        return False
    rest = text[mark.start : max(mark.start, found.start)] + text[min(mark.end, found.end) : mark.end]
    return re.search(r"\w", rest) is None


def test_the_written_set_has_at_least_five_hundred_cases() -> None:
    """About half of the texts hold personal data, about half only numbers that look like it."""
    cases = written("privacy_cases.tsv")
    assert len(cases) >= 500
    assert 0.4 <= sum("⟦" in case for case in cases) / len(cases) <= 0.6


@dataclass(frozen=True)
class Tally:
    """What became of a set of texts: pieces marked and found, and the two kinds of mistake."""

    marked: int
    found: int
    missed: list[str]
    wrong: list[tuple[str, str]]


@cache
def tally(name: str) -> Tally:
    """One pass over a file of texts."""
    every, hidden, missed, wrong = 0, 0, [], []
    for case in written(name):
        text, marks = unmarked(case)
        found = find_personal(text)
        every, hidden = every + len(marks), hidden + len(found)
        missed += [text for mark in marks if not any(covers(one, mark, text) for one in found)]
        for one in found:
            if not any(one.kind is mark.kind and one.start < mark.end and mark.start < one.end for mark in marks):
                wrong.append((text[one.start : one.end], text))
    return Tally(every, hidden, missed, wrong)


@pytest.mark.parametrize("name", ["privacy_cases.tsv", "privacy_unseen.tsv"])
def test_at_least_98_percent_of_personal_data_is_hidden(name: str) -> None:
    """In sentences, tables, JSON, CSV and lists, in every spelling people use; the second file taught nothing."""
    told = tally(name)
    assert tell(f"personal data hidden in exports ({name})", asked="98%",
                measured=f"{1 - len(told.missed) / told.marked:.1%}", size=f"{told.marked} pieces",
                held=len(told.missed) <= 0.02 * told.marked), told.missed  # fmt: skip


@pytest.mark.parametrize("name", ["privacy_cases.tsv", "privacy_unseen.tsv"])
def test_at_least_95_percent_of_what_is_hidden_is_personal_data(name: str) -> None:
    """Prices, dates, orders, accounts, hashes, versions and formulas stay."""
    told = tally(name)
    assert tell(f"personal data among what exports hide ({name})", asked="95%",
                measured=f"{1 - len(told.wrong) / told.found:.1%}", size=f"{told.found} hidden",
                held=len(told.wrong) <= 0.05 * told.found), told.wrong  # fmt: skip


def test_each_piece_is_replaced_by_its_kind() -> None:
    """So that an analyst still sees what stood there."""
    text = "Иван, +7 (912) 345-67-89, ivan@mail.ru, ИНН 500100732259"
    assert mask_personal(text) == "Иван, [PHONE], [EMAIL], ИНН [INN]"


@pytest.mark.parametrize("number", ["7707083893", "500100732259", "7830002293"])
def test_inn_check_digits_are_the_tax_services(number: str) -> None:
    """Published numbers pass, and fail with any one digit changed."""
    assert inn(number)
    for place in range(len(number)):
        assert not inn(number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :])


def test_snils_check_digits_are_the_pension_funds() -> None:
    """The specimen of the fund's own instruction, and a sum of 100, which gives 00."""
    assert snils("11223344595")
    assert not snils("11223344596")
    assert snils("92000010000")


def test_luhn_accepts_the_textbook_number() -> None:
    """79927398713 passes, and no other last digit does."""
    assert [digit for digit in range(10) if luhn(f"7992739871{digit}")] == [3]


@given(st.text(alphabet="0123456789+-() .@абвa\n", max_size=120))
def test_any_text_is_masked_without_loss_of_what_stands_around(text: str) -> None:
    """Findings are in order, apart and inside the text; masking twice changes nothing more of what is left."""
    found = find_personal(text)
    assert all(0 <= one.start < one.end <= len(text) for one in found)
    assert all(one.end <= other.start for one, other in pairwise(found))
    kept = "".join(
        text[first:last]
        for first, last in zip(
            [0, *(one.end for one in found)], [*(one.start for one in found), len(text)], strict=True
        )
    )
    assert re.sub(r"\[[A-Z]+\]", "", mask_personal(text)) == kept


def test_a_long_text_of_digits_takes_no_long_time() -> None:
    """Patterns that look back and forth could take quadratic time; a hundred thousand digits pass."""
    assert isinstance(mask_personal("8 900 " * 20_000), str)
    assert isinstance(mask_personal("1" * 100_000), str)
    assert isinstance(mask_personal("a." * 50_000 + "@"), str)
