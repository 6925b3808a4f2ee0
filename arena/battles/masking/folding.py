"""How characters look, not what they are: the alphabet in which names are compared.

Letters that look alike (Latin, Cyrillic, Greek, full-width, mathematical) fold to one class,
invisible marks fold to nothing, everything that is not a letter or digit separates. One character
folds alone, without its neighbours, so text can be folded as it arrives. Knows no names.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

_LOOK_ALIKES = {
    # Cyrillic (after case folding) → Latin look-alike, small or capital
    **dict(zip("авекмнорстухіїјѕԁԛԝѵгпиьӏ", "abekmhopctyxiijsdqwvrnubi", strict=True)),
    # Greek
    **dict(zip("αβγεηικμνορτυχω", "abyenikuvoptyxw", strict=True)),
    # Latin letters and phonetic signs that pass for another Latin letter
    **dict(zip("lıɩɑɡł", "iiiagi", strict=True)),
    **dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijkimnoprstuvwyz", strict=True)),  # small capitals
}
_SIGNS_NOT_LETTERS = frozenset("™℠©®ªº№")
_INVISIBLE = frozenset("\u115f\u1160\u17b4\u17b5\u3164\uffa0\u034f\u2800")
LEET = {
    "0": "o", "1": "i", "|": "i", "3": "eз", "4": "aч", "5": "s", "6": "bб", "7": "t", "8": "b", "9": "g",
    "@": "a", "$": "s", "€": "e",
}  # fmt: skip
"""Digits and signs written in place of letters; tried only inside a name."""


@lru_cache(maxsize=8192)
def fold(char: str) -> str:
    """The class of one character: folded letters or digits, one separator, or nothing when it is invisible."""
    if char in _SIGNS_NOT_LETTERS:
        return " "
    if char in _INVISIBLE or (unicodedata.category(char) in ("Cf", "Mn", "Me", "Cc") and not char.isspace()):
        return ""
    plain = unicodedata.normalize("NFKD", char).casefold()
    folded = "".join(_LOOK_ALIKES.get(part, part) for part in plain if not unicodedata.combining(part))
    return folded if folded.isalnum() else (folded or char)[0]


def fold_word(word: str) -> str:
    """A word of ours in the folded alphabet; separators inside it are dropped."""
    return "".join(folded for char in word if (folded := fold(char)).isalnum())


def is_letters(folded: str) -> bool:
    """Whether a folded character is a letter or digit (and neither a separator nor invisible)."""
    return folded.isalnum()


def words(folds: list[str]) -> Iterator[str]:
    """The words of folded text, in order."""
    return iter("".join(part if part.isalnum() or not part else " " for part in folds).split())


def fold_words(text: str) -> list[str]:
    """The words of raw text in the folded alphabet."""
    return list(words([fold(char) for char in text]))
