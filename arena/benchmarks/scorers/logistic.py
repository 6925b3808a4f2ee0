"""Unpenalised logistic regression with soft labels and row weights, by damped Newton steps.

Small designs only (a handful of columns): the normal matrix is built and solved outright, which
beats a general solver by far because nothing is copied, checked or duplicated per label.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_LARGEST_STEP = 5.0
"""A longer Newton step is cut to this, in units of a coefficient."""
_SAMPLE = 2000
"""About so many rows bring the start close."""


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + e^−x) without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)))


def fit(design: Floats, label: Floats, weight: Floats | None = None, *, steps: int = 60) -> Floats:
    """Coefficients that maximise Σ w·(y·log p + (1−y)·log(1−p)), p = σ(design @ coefficients).

    `label` in [0, 1] may be a probability. Many rows begin where a thinned sample ends: Newton's
    error squares with every step, so the full data are then passed two or three times instead of
    seven. Where the maximum lies at infinity (a model that never wins) the steps end after
    `steps`, far enough out for σ to be 0 or 1 in any table.
    """
    weight = np.ones(len(label)) if weight is None else weight
    thin = len(label) // _SAMPLE
    start = np.zeros(design.shape[1])
    if thin > 1:
        start = _climb(design[::thin], label[::thin], weight[::thin], start, steps)
    return _climb(design, label, weight, start, steps)


def _climb(design: Floats, label: Floats, weight: Floats, start: Floats, steps: int) -> Floats:
    """Damped Newton steps from `start` until one is too small to matter: the error after it is its square."""
    columns = np.ascontiguousarray(design.T)
    coefficients = start
    for _ in range(steps):
        expected = sigmoid(coefficients @ columns)
        gradient = columns @ (weight * (label - expected))
        hessian = (columns * (weight * expected * (1 - expected))) @ columns.T
        step = _solved(hessian, gradient)
        step *= min(1.0, _LARGEST_STEP / max(float(np.abs(step).max(initial=0.0)), 1e-300))
        coefficients = coefficients + step
        if np.abs(step).max(initial=0.0) < 1e-6:
            break
    return coefficients


def _solved(matrix: Floats, vector: Floats) -> Floats:
    """The solution, or the shortest of many where a column says nothing (all answers of one length)."""
    try:
        return np.asarray(np.linalg.solve(matrix, vector))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(matrix, vector, rcond=None)[0])
