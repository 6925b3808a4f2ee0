"""The same numbers as established libraries, which are needed by these tests alone."""

from __future__ import annotations

import numpy as np
import pytest
from known_strengths import simulated, styled
from slow_clusters import scores_by_voter

from arena.ratings.bradley_terry import fit
from arena.ratings.comparisons import Comparisons, FloatArray, PairCounts
from arena.ratings.elo import EloParameters, fold
from arena.ratings.intervals import laplacian, pseudo_inverse, win_probabilities
from arena.ratings.style import STYLE_FEATURES, fit_style

PER_NAT = 400 / np.log(10)


def design(rows: Comparisons) -> FloatArray:
    """Dense rows with the first contestant as reference, which regression packages need."""
    table = np.zeros((len(rows), len(rows.names)))
    table[np.arange(len(rows)), rows.a] = 1
    table[np.arange(len(rows)), rows.b] = -1
    return table[:, 1:]


def centred(reference_zero: FloatArray, covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Estimates against a reference contestant, moved to where they sum to zero."""
    size = len(reference_zero) + 1
    spread = (np.eye(size) - 1 / size)[:, 1:]
    return spread @ reference_zero, np.sqrt(np.diag(spread @ covariance @ spread.T))


@pytest.mark.parametrize("voters", [0, 60])
def test_statsmodels_gives_the_same_ratings_and_intervals(voters: int) -> None:
    """Its logistic regression with robust and with clustered covariance: ratings to 1e-8 points."""
    api = pytest.importorskip("statsmodels.api", reason="statsmodels is not installed")
    rows = simulated(np.linspace(-1.5, 1.5, 12), 4000, seed=1, voters=voters, spread=0.5)
    model = api.GLM(rows.outcome, design(rows), family=api.families.Binomial())
    more = {"cov_type": "HC0"}
    if voters:
        more = {"cov_type": "cluster", "cov_kwds": {"groups": rows.voter, "use_correction": False}}
    theirs = model.fit(tol=1e-15, maxiter=100, tol_criterion="params", **more)
    theta, deviation = centred(np.asarray(theirs.params), np.asarray(theirs.cov_params()))
    ours = fit(PairCounts.of(rows))
    assert ours.theta * PER_NAT == pytest.approx(theta * PER_NAT, abs=1e-8)
    covariance = ours.covariance
    if rows.voter is not None:  # what ours makes of this sum stands in test_clusters
        p = win_probabilities(ours.theta)
        bread = pseudo_inverse(laplacian(PairCounts.of(rows).total * p * p.T))
        whole = np.insert(design(rows), 0, -design(rows).sum(axis=1), axis=1)
        scores = scores_by_voter(whole * (rows.outcome - p[rows.a, rows.b])[:, None], rows.voter)
        covariance = bread @ scores.T @ scores @ bread
    assert np.sqrt(np.diag(covariance)) == pytest.approx(deviation, rel=1e-8)


def test_statsmodels_gives_the_same_style_control() -> None:
    """Strengths to 1e-3 points (here 1e-6), coefficients alike."""
    api = pytest.importorskip("statsmodels.api", reason="statsmodels is not installed")
    rows = styled(5000)
    columns = []
    for name in STYLE_FEATURES:
        a, b = rows.features[name]
        x = np.divide(a - b, a + b, out=np.zeros(len(a)), where=a + b > 0)
        columns.append(x / np.sqrt(np.mean(x**2)))
    table = np.column_stack([design(rows), *columns])
    theirs = api.GLM(rows.outcome, table, family=api.families.Binomial()).fit(
        tol=1e-14, maxiter=100, tol_criterion="params", cov_type="HC0"
    )
    ours = fit_style(rows)
    size = len(rows.names)
    covariance = np.asarray(theirs.cov_params())
    theta, deviation = centred(np.asarray(theirs.params)[: size - 1], covariance[: size - 1, : size - 1])
    assert ours.theta * PER_NAT == pytest.approx(theta * PER_NAT, abs=1e-6)
    assert np.sqrt(np.diag(ours.covariance)) == pytest.approx(deviation, rel=1e-6)
    assert [found.value for found in ours.coefficients] == pytest.approx(theirs.params[size - 1 :], abs=1e-8)


def test_choix_gives_the_same_strengths() -> None:
    """Its direct maximization, on wins without ties."""
    choix = pytest.importorskip("choix", reason="choix is not installed")
    rows = simulated(np.linspace(-1, 1, 8), 3000, seed=3, ties=0.0)
    won = np.where(rows.outcome == 1, rows.a, rows.b)
    lost = np.where(rows.outcome == 1, rows.b, rows.a)
    theirs = choix.opt_pairwise(8, list(zip(won.tolist(), lost.tolist(), strict=True)), alpha=0.0, tol=1e-12)
    assert fit(PairCounts.of(rows)).theta == pytest.approx(theirs - np.mean(theirs), abs=1e-5)


def test_evalica_gives_the_same_elo_and_strengths() -> None:
    """Elo by the same parameters, Bradley–Terry with ties as half a win."""
    evalica = pytest.importorskip("evalica", reason="evalica is not installed")
    rows = simulated(np.linspace(-1, 1, 8), 3000, seed=4)
    winner = {1.0: evalica.Winner.X, 0.0: evalica.Winner.Y, 0.5: evalica.Winner.Draw}
    xs, ys = [rows.names[i] for i in rows.a], [rows.names[i] for i in rows.b]
    winners = [winner[outcome] for outcome in rows.outcome.tolist()]
    elo = evalica.elo(xs, ys, winners, initial=1000, base=10, scale=400, k=4).scores
    ours = dict(zip(rows.names, fold(rows, EloParameters()).ratings, strict=True))
    assert ours == pytest.approx(dict(elo), abs=1e-9)
    strengths = evalica.bradley_terry(xs, ys, winners, tolerance=1e-13, limit=10_000).scores
    theta = np.log([strengths[name] for name in rows.names])
    assert fit(PairCounts.of(rows)).theta == pytest.approx(theta - theta.mean(), abs=1e-7)
