"""Why votes are held is said on the page in its own language."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from arena.ratings.crowds import Alarm, Shift
from arena.ratings.integrity import Bet, Suspicion
from arena.service.integrity import reason_of, reason_of_crowd
from arena.ui.integrity_tab import why_held

RIGGER = Suspicion(1, 30, Bet("org/model-7B", "raise", 12.25, 13.0, 20, 19.5, 9.75), -4.2, favours=True, opposes=False)
CROWD = Alarm(3, Shift("org/model-7B", 40, 38.5, 21.3, 6.4), np.arange(3))


def test_every_reason_of_the_patrol_is_said_in_russian() -> None:
    """With the figures as Russian writes them."""
    lowers = replace(RIGGER, bet=replace(RIGGER.bet, direction="lower"))
    opposes = replace(RIGGER, favours=False, opposes=True)
    newest = replace(CROWD, most=None)
    reasons = [*map(reason_of, (RIGGER, lowers, opposes)), *map(reason_of_crowd, (CROWD, newest))]
    assert [why_held(reason, "en") for reason in reasons] == reasons
    assert [why_held(reason, "ru") for reason in reasons] == [
        "поднимает org/model-7B: 19,5 из 20, ожидалось 9,8, улика 12,2",
        "топит org/model-7B: 19,5 из 20, ожидалось 9,8, улика 12,2",
        "голосует наперекор остальным: -4,2 σ",
        "те, у кого голосов не больше 3, о org/model-7B: 38,5 из 40, ожидалось 21,3, z 6,4",
        "новейшая десятая часть о org/model-7B: 38,5 из 40, ожидалось 21,3, z 6,4",
    ]


def test_an_operators_own_words_stay() -> None:
    """Votes may be held by hand, with any reason."""
    assert why_held("знакомый автора, v1.5", "ru") == "знакомый автора, v1.5"
