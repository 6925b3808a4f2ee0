"""The sandwich H⁻¹·M·H⁻¹ kept up to date under one comparison at a time.

A comparison with direction d (which parameters its logit reads, and by how much) changes H by
w·ddᵀ and M by r²·ddᵀ, so H⁻¹ and the variances follow in O(m²) by the Sherman–Morrison formula.
It knows linear algebra only: not what the parameters mean.
"""

from __future__ import annotations

import numpy as np

from arena.ratings.comparisons import FloatArray, IntArray

_LEAST_LEFT = 0.5
"""Taking away more than half of what was known in some direction is too far for one step."""


class RankOneSandwich:
    """Bread H⁻¹, filling M, and the diagonal of H⁻¹·M·H⁻¹ as `variance`. The arrays are its own."""

    def __init__(self, bread: FloatArray, filling: FloatArray) -> None:
        self.bread, self.filling = bread, filling
        self.variance: FloatArray = np.einsum("ij,ij->i", bread @ filling, bread)
        self._scratch = np.empty_like(bread)

    def step(
        self, places: IntArray, values: FloatArray, curvature: float, residual: float, weight: float = 1.0
    ) -> FloatArray | None:
        """Follow one comparison; returns the Newton step of the parameters, None where it is too far to follow.

        The direction has `values` at `places` and zero elsewhere. A negative weight takes a
        comparison away.
        """
        u = self.bread[:, places] @ values
        growth = 1 + weight * curvature * float(values @ u[places])
        if growth < _LEAST_LEFT:
            return None
        added = weight * abs(weight) * residual**2
        shrink = weight * curvature / growth
        through = self.filling @ u
        self.variance += u * (u * (shrink**2 * (u @ through)) - (2 * shrink) * (self.bread @ through))
        self.variance += (added / growth**2) * u**2
        np.multiply.outer(u * shrink, u, out=self._scratch)
        self.bread -= self._scratch
        self.filling[places[:, None], places] += added * np.multiply.outer(values, values)
        return np.asarray(u * (weight * residual / growth))

    def covariance_with(self, place: int) -> FloatArray:
        """A column of H⁻¹·M·H⁻¹."""
        return np.asarray(self.bread @ (self.filling @ self.bread[:, place]))
