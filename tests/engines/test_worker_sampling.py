"""Drawing tokens: greedy, temperature and top_p per row, from numbers that the caller brings."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from arena.engines.worker.sampling import Draw, next_tokens  # noqa: E402

LOGITS = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]]))


def test_temperature_zero_takes_the_likeliest_token() -> None:
    """Whatever the random number says."""
    assert next_tokens(LOGITS, [Draw(0.0, 1.0, 0.99)]) == [0]


def test_draws_follow_the_distribution() -> None:
    """20,000 draws lie within five standard errors of every probability."""
    counts = _counts(1.0, 1.0)
    for token, probability in enumerate((0.5, 0.3, 0.15, 0.05)):
        assert abs(counts[token] / 20_000 - probability) < 5 * math.sqrt(probability * (1 - probability) / 20_000)


def test_top_p_keeps_the_smallest_set_that_holds_the_mass() -> None:
    """0.7 needs the first two tokens; their shares are 5/8 and 3/8."""
    counts = _counts(1.0, 0.7)
    assert set(counts) == {0, 1}
    assert abs(counts[0] / 20_000 - 0.625) < 0.02


def test_top_p_zero_is_greedy() -> None:
    """The best token always stays."""
    assert set(_counts(1.0, 0.0)) == {0}


def test_temperature_sharpens_and_flattens() -> None:
    """At temperature 0.5 probabilities are squared, then normalized: 0.25 of 0.365."""
    assert abs(_counts(0.5, 1.0)[0] / 20_000 - 0.25 / 0.365) < 0.02


def test_every_row_follows_its_own_rules() -> None:
    """A greedy, a nucleus and a hot row share a batch and do not disturb each other."""
    draws = [Draw(0.0, 1.0, 0.9), Draw(1.0, 0.7, 0.9), Draw(1.0, 1.0, 0.99)]
    mixed = next_tokens(LOGITS.repeat(3, 1), draws)
    alone = [next_tokens(LOGITS, [draw])[0] for draw in draws]
    assert mixed == alone == [0, 1, 3]


def test_the_largest_random_number_never_draws_an_impossible_token() -> None:
    """Rounding in the cumulative sum must not run past the last token that has any weight."""
    logits = torch.full((1, 1000), -math.inf)
    logits[0, :10] = 0.0
    largest = math.nextafter(1.0, 0.0)
    assert next_tokens(logits, [Draw(1.0, 1.0, largest)])[0] < 10
    assert next_tokens(logits, [Draw(1.0, 0.99, largest)])[0] < 10


def test_a_model_that_computes_nonsense_fails_instead_of_drawing_it() -> None:
    """NaN logits are an error of the model, not a token."""
    with pytest.raises(ArithmeticError):
        next_tokens(torch.full((1, 4), math.nan), [Draw(1.0, 1.0, 0.5)])


def _counts(temperature: float, top_p: float) -> Counter[int]:
    rng = random.Random(5)
    draws = [Draw(temperature, top_p, rng.random()) for _ in range(20_000)]
    return Counter(next_tokens(LOGITS.repeat(20_000, 1), draws))
