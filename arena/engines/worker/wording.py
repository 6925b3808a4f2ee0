"""Turns the token ids of one answer into text that may be shown: whole characters, no stop string.

It knows the tokenizer only as a function from ids to text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Decode = Callable[[Sequence[int]], str]

_UNFINISHED = "\ufffd"
_LONGEST = 4
"""Bytes of the longest character in UTF-8: so many tokens may be part of one; more are noise."""


class Wording:
    """The text of one answer as it grows.

    `feed` takes new ids and returns what can be said now; an unfinished character and the possible
    beginning of a stop string wait. After `stopped` is true nothing follows.

    A token's text depends on its left neighbour (a leading space, a byte of the same character),
    so text is the difference between two decodings that share a left neighbour, never the
    decoding of the new ids alone.
    """

    def __init__(self, decode: Decode, stop: Sequence[str] = ()) -> None:
        self._decode = decode
        self._stop = tuple(text for text in stop if text)
        self._ids: list[int] = []
        self._left = self._said = 0  # ids[left:said] is the neighbour, ids[said:] is not yet said
        self._held = ""  # may be the beginning of a stop string
        self.stopped = False

    def feed(self, ids: Sequence[int]) -> str:
        """What the new ids allow to say."""
        self._ids += ids
        return self._until_stop(self._whole_characters(last=False))

    def finish(self) -> str:
        """What was held back, but for half a character that will never be whole."""
        text = self._until_stop(self._whole_characters(last=True))
        held, self._held = self._held, ""
        return text + held

    def _whole_characters(self, *, last: bool) -> str:
        if self._said == len(self._ids):
            return ""
        neighbour = self._decode(self._ids[self._left : self._said]) if self._said > self._left else ""
        end, text = self._sayable(last)
        if end == self._said:
            return ""
        self._left, self._said = self._said, end
        new = text[len(neighbour) :]
        return new.rstrip(_UNFINISHED) if last else new

    def _sayable(self, last: bool) -> tuple[int, str]:
        """Up to which token there are whole characters, and the text from the neighbour to there."""
        whole = len(self._ids)
        text = all_text = self._decode(self._ids[self._left :])
        end = whole
        while text.endswith(_UNFINISHED) and not last:
            end -= 1
            if whole - end == _LONGEST:
                return whole, all_text
            if end == self._said:
                return end, ""
            text = self._decode(self._ids[self._left : end])
        return end, text

    def _until_stop(self, text: str) -> str:
        if self.stopped:
            return ""
        if not self._stop:
            return text
        self._held += text
        found = [at for stop in self._stop if (at := self._held.find(stop)) >= 0]
        if found:
            self.stopped = True
            said, self._held = self._held[: min(found)], ""
            return said
        kept = max(_overlap(self._held, stop) for stop in self._stop)
        said, self._held = self._held[: len(self._held) - kept], self._held[len(self._held) - kept :]
        return said


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)
