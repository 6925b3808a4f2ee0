"""The length penalty of Vikhr's Ru-Arena-General: a win earned by a longer answer weighs less.

A row in which the model won weighs 2·σ((len_baseline − len_model)/std), any other row 1; lengths
are in tokens and std is the sample deviation of the differences over all questions of that model.
(VikhrModels/ru_llm_arena.) Knows arrays only.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def penalty(delta: Floats, std: Floats | float) -> Floats:
    """The weight of a win whose answer is `−delta` tokens longer; 1 where the lengths do not vary."""
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = np.where(np.asarray(std) > 0, delta / std, 0.0)
    return np.asarray(2 / (1 + np.exp(-np.clip(scaled, -700, 700))))


def deviation(deltas: Floats) -> float:
    """The sample standard deviation (n − 1), 0 when there is nothing to vary."""
    return float(np.std(deltas, ddof=1)) if len(deltas) > 1 else 0.0
