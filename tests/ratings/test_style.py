"""Style control: strengths at equal style, held against the formulas written out over dense rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from known_strengths import styled
from slow_clusters import filling

from arena.ratings import style, style_likelihood
from arena.ratings.bradley_terry import fit
from arena.ratings.comparisons import Comparisons, FloatArray, PairCounts
from arena.ratings.leaderboard import Anchor, style_board
from arena.ratings.style import STYLE_FEATURES, Variant, fit_style


def dense(rows: Comparisons, variant: Variant) -> FloatArray:
    """One row per comparison: +1 and −1 for the sides, then the covariates as each variant defines them."""
    table = np.zeros((len(rows), len(rows.names) + len(STYLE_FEATURES)))
    table[np.arange(len(rows)), rows.a] = 1
    table[np.arange(len(rows)), rows.b] = -1
    tokens_a, tokens_b = rows.features["tokens"]
    for column, name in enumerate(STYLE_FEATURES, start=len(rows.names)):
        a, b = rows.features[name]
        match variant:
            case Variant.OURS:
                x = np.array([(u - v) / (u + v) if u + v else 0.0 for u, v in zip(a, b, strict=True)])
                x = x / np.sqrt(np.mean(x**2))
            case Variant.FASTCHAT:
                x = (a - b) / (a + b + 1)
                x = (x - np.mean(x)) / np.std(x)
            case Variant.ARENA_HARD_V2:
                if name != "tokens":
                    a, b = a / (tokens_a + 1), b / (tokens_b + 1)
                x = (a - b) / (a + b + (name != "tokens"))
                x = (x - np.mean(x)) / np.std(x, ddof=1)
        table[:, column] = x
    return table


def parameters(result: style.StyleResult) -> FloatArray:
    return np.append(result.theta, [found.value for found in result.coefficients])


@pytest.mark.parametrize("variant", list(Variant))
def test_the_penalised_likelihood_is_at_its_maximum(variant: Variant) -> None:
    """The gradient of the likelihood, with FastChat's ¼·‖(r, β)‖² where it belongs, is zero."""
    rows = styled()
    table, found = dense(rows, variant), parameters(fit_style(rows, variant=variant))
    residual = rows.outcome - 1 / (1 + np.exp(-table @ found))
    gradient = table.T @ residual
    if variant is Variant.FASTCHAT:
        points_per_ten = np.array([np.log(10)] * len(rows.names) + [1] * 4)
        gradient -= 0.5 * found / points_per_ten**2
    assert gradient == pytest.approx(np.zeros(len(found)), abs=1e-7)


@pytest.mark.parametrize("voters", [0, 100])
def test_the_covariance_is_the_sandwich_of_the_dense_rows(voters: int) -> None:
    """Also with one score vector per voter."""
    rows = styled(voters=voters)
    result = fit_style(rows)
    table, found = dense(rows, Variant.OURS), parameters(result)
    p = 1 / (1 + np.exp(-table @ found))
    scores = table * (rows.outcome - p)[:, None]
    middle = scores.T @ scores
    if rows.voter is not None:
        touched = np.concatenate((np.abs(table[:, :6]), np.ones((len(rows), table.shape[1] - 6))), axis=1)
        middle, _ = filling(scores, touched, rows.voter, middle, 6)
    bread = np.linalg.pinv(table.T @ (table * (p * (1 - p))[:, None]))
    expected = bread @ middle @ bread
    assert result.clustered == bool(voters)
    assert result.covariance == pytest.approx(expected[:6, :6], rel=1e-6, abs=1e-12)
    reach = [(found.high or 0) - (found.value or 0) for found in result.coefficients]
    assert reach == pytest.approx(1.959964 * np.sqrt(np.diag(expected)[6:]), rel=1e-6)


def test_what_style_was_worth_is_found_again() -> None:
    """And the strengths lose what length had lent them."""
    rows = styled(60_000, worth=2.0)
    result = fit_style(rows, ["tokens"])
    (length,) = result.coefficients
    assert length.value is not None
    assert length.value / length.spread == pytest.approx(2.0 * 0.8, rel=0.15)  # a fifth of the battles are ties
    naive = fit(PairCounts.of(rows)).theta
    assert np.ptp(result.theta) < np.ptp(naive)


def test_our_variant_does_not_care_which_side_is_called_a() -> None:
    """Swapping the sides of any battles changes nothing; a centred covariate could not promise that."""
    rows = styled()
    swap = np.random.default_rng(0).random(len(rows)) < 0.5
    other = rows.mirrored()
    mixed = Comparisons(
        rows.names,
        np.where(swap, other.a, rows.a),
        np.where(swap, other.b, rows.b),
        np.where(swap, other.outcome, rows.outcome),
        features={name: (np.where(swap, b, a), np.where(swap, a, b)) for name, (a, b) in rows.features.items()},
    )
    assert parameters(fit_style(mixed)) == pytest.approx(parameters(fit_style(rows)), abs=1e-9)


def test_the_short_way_for_many_comparisons_ends_at_the_same_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Single precision and a start on a sample agree with the long way to a thousandth of a point."""
    rows = styled(300_000)
    exact = fit_style(rows)
    monkeypatch.setattr(style_likelihood, "MANY", 200_000)
    quick = fit_style(rows)
    assert quick.theta == pytest.approx(exact.theta, abs=5e-6)
    assert np.diag(quick.covariance) == pytest.approx(np.diag(exact.covariance), rel=1e-3)


def test_the_short_way_minds_weights_voters_and_the_unrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the long way does, when a contestant that never lost takes part."""
    rows, rng = styled(30_000, voters=200), np.random.default_rng(2)
    weighed = replace(rows, weight=rng.uniform(0.2, 1, len(rows)), outcome=np.where(rows.a == 2, 1.0, rows.outcome))
    weighed = weighed.where(weighed.b != 2)
    exact = fit_style(weighed)
    monkeypatch.setattr(style_likelihood, "MANY", 10_000)
    quick = fit_style(weighed)
    assert exact.clustered
    assert quick.clustered
    assert np.isnan(exact.theta[2])
    assert quick.theta == pytest.approx(exact.theta, abs=5e-6, nan_ok=True)
    assert np.diag(quick.covariance) == pytest.approx(np.diag(exact.covariance), rel=1e-3, nan_ok=True)
    assert quick.low[2] == pytest.approx(exact.low[2], abs=1e-3)


def test_a_pass_that_keeps_nothing_minds_weights_and_voters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where everyone can be rated; its coefficients are per spread of all comparisons, not of the sample."""
    rows, rng = styled(30_000, voters=200), np.random.default_rng(2)
    rows = replace(rows, weight=rng.uniform(0.2, 1, len(rows)))
    exact = fit_style(rows)
    monkeypatch.setattr(style_likelihood, "MANY", 10_000)
    monkeypatch.setattr(style, "_kept", None)  # it would keep them
    quick = fit_style(rows)
    assert exact.clustered
    assert quick.clustered
    assert quick.theta == pytest.approx(exact.theta, abs=5e-6)
    assert quick.covariance == pytest.approx(exact.covariance, rel=1e-3, abs=1e-6)
    for ours, theirs in zip(quick.coefficients, exact.coefficients, strict=True):
        assert ours.spread == pytest.approx(theirs.spread, rel=1e-6)
        assert [ours.value, ours.low, ours.high] == pytest.approx([theirs.value, theirs.low, theirs.high], abs=1e-5)


def test_a_feature_that_never_differs_has_no_coefficient() -> None:
    """Rather than a division by zero."""
    rows = styled()
    same = np.ones(len(rows))
    result = fit_style(replace(rows, features={**rows.features, "bold": (same, same)}))
    assert [found.value is None for found in result.coefficients] == [False, False, False, True]


@pytest.mark.parametrize("many", [False, True])
def test_features_that_are_one_are_refused(many: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two columns with the same content cannot be told apart, nor in single precision nearly the same."""
    rows = styled(20_000 if many else 3000)
    if many:
        monkeypatch.setattr(style_likelihood, "MANY", 10_000)
    apart = 1e-3 if many else 0.0
    copy = tuple(side + apart * np.sin(np.arange(len(rows))) for side in rows.features["tokens"])
    twice = replace(rows, features={**rows.features, "copy": copy})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="told apart"):
        fit_style(twice, ["tokens", "copy"])


@pytest.mark.parametrize("voters", [0, 100])
def test_three_ties_are_not_certainty_at_equal_style(voters: int) -> None:
    """A newcomer's equal votes have no spread of their own; style makes none of it either."""
    old = styled(600, voters=voters)
    features = {
        name: (np.append(one, [300, 290, 310]), np.append(other, [300, 305, 290]))
        for name, (one, other) in old.features.items()
    }
    a, b, outcome = np.append(old.a, [6] * 3), np.append(old.b, [3] * 3), np.append(old.outcome, [0.5] * 3)
    voter = None if old.voter is None else np.append(old.voter, [0, 1, 2])
    found = fit_style(Comparisons((*old.names, "new"), a, b, outcome, voter=voter, features=features)).covariance
    assert found[6, 6] > 0.5, "three fair votes between equals leave a variance of 4/3"


def test_an_unknown_feature_is_refused_by_name() -> None:
    """With the names that are there."""
    with pytest.raises(ValueError, match=r"'emoji'.*tokens, headers"):
        fit_style(styled(), ["emoji"])


def test_an_undefeated_contestant_stays_unrated_at_equal_style() -> None:
    """Style cannot say how much stronger than all others it is."""
    rows = styled()
    hero = np.full(5, 6)
    joined = Comparisons(
        (*rows.names, "hero"),
        np.append(rows.a, hero),
        np.append(rows.b, np.zeros(5, dtype=int)),
        np.append(rows.outcome, np.ones(5)),
        features={name: (np.append(a, hero), np.append(b, hero)) for name, (a, b) in rows.features.items()},
    )
    board = style_board(joined)
    assert board.row("hero").rating is None
    assert board.row("hero").ci_low is not None
    assert board.row("m0").identified


def test_the_board_carries_coefficients_and_takes_an_anchor() -> None:
    """As JSON it says what each feature was worth."""
    board = style_board(styled(), anchor=Anchor("m2", 1100))
    assert board.row("m2").rating == pytest.approx(1100)
    told = board.to_json()["style"]
    assert isinstance(told, dict)
    assert [found["feature"] for found in told["coefficients"]] == list(STYLE_FEATURES)
