"""Unpenalised logistic regression with soft labels and row weights, by damped Newton steps.

Small designs only (a handful of columns): the normal matrix is built and solved outright, which
beats a general solver by far because nothing is copied, checked or duplicated per label.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_LARGEST_STEP = 5.0


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + e^−x) without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)))


def fit(design: Floats, label: Floats, weight: Floats | None = None, *, steps: int = 60) -> Floats:
    """Coefficients that maximise Σ w·(y·log p + (1−y)·log(1−p)), p = σ(design @ coefficients).

    `label` in [0, 1] may be a probability. Where the maximum lies at infinity (a model that never
    wins) the steps end after `steps`, far enough out for σ to be 0 or 1 in any table.
    """
    columns = np.ascontiguousarray(design.T)
    weight = np.ones(len(label)) if weight is None else weight
    coefficients = np.zeros(design.shape[1])
    for _ in range(steps):
        expected = sigmoid(coefficients @ columns)
        gradient = columns @ (weight * (label - expected))
        hessian = (columns * (weight * expected * (1 - expected))) @ columns.T
        step = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        step *= min(1.0, _LARGEST_STEP / max(float(np.abs(step).max(initial=0.0)), 1e-300))
        coefficients = coefficients + step
        if np.abs(step).max(initial=0.0) < 1e-9:
            break
    return coefficients
