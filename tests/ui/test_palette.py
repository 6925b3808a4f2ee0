"""Lines of a plot are told apart on either background, by those too who see no red or no green, and without colour."""

from __future__ import annotations

import re
from itertools import combinations, pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from test_stylesheet import contrast, palette

from arena.ui import charts, look

Colours = NDArray[np.float64]

SEEN_BY = {
    "most": np.eye(3),
    "without red": np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
    "without green": np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
}
"""Linear light as it is seen (Machado, Oliveira and Fernandes 2009, severity 1)."""

_LMS = np.array([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]])
_LAB = np.array([[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]])


def shown(dark: bool) -> Colours:
    """The palette as it is on the page: in the dark the stylesheet brightens it."""
    colours = np.array([[int(one[at : at + 2], 16) / 255 for at in (1, 3, 5)] for one in charts.PALETTE])
    found = re.search(r"\.legendlines\) \{ filter: brightness\(([0-9.]+)\)", look.css())
    assert found, "lines and their legend are brightened alike"
    return np.minimum(colours * float(found[1]), 1.0) if dark else colours


def lab(colours: Colours, eye: str) -> Colours:
    """In OKLab (Ottosson 2020), where distances are those that are seen."""
    light = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = np.clip(light @ SEEN_BY[eye].T, 0, 1)
    return np.asarray(np.cbrt(seen @ _LMS.T) @ _LAB.T)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("eye", "any_two", "neighbours"), [
    ("most", 0.13, 0.18), ("without red", 0.06, 0.13), ("without green", 0.06, 0.13),
])  # fmt: skip
def test_ten_lines_differ_and_neighbours_most(dark: bool, eye: str, any_two: float, neighbours: float) -> None:
    """By distances in OKLab, where 0.02 is just noticed side by side."""
    places = lab(shown(dark), eye)
    assert len(places) >= 10
    assert min(float(np.linalg.norm(one - other)) for one, other in combinations(places, 2)) >= any_two
    assert min(float(np.linalg.norm(one - other)) for one, other in pairwise(places)) >= neighbours


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_line_stands_out_from_the_page(dark: bool) -> None:
    """Three to one, as WCAG asks of graphics."""
    for colour in shown(dark):
        written = "#" + "".join(f"{round(part * 255):02x}" for part in colour)
        assert contrast(written, palette(dark)["paper"]) >= 3.0, written


def test_neighbouring_lines_differ_without_any_colour() -> None:
    """Each is dashed otherwise than the ones beside it, and than the one that has its colour again."""
    dashes = [charts.DASHES[place % len(charts.DASHES)] for place in range(2 * len(charts.PALETTE))]
    assert all(one != other for one, other in pairwise(dashes))
    assert all(dashes[place] != dashes[place + len(charts.PALETTE)] for place in range(len(charts.PALETTE)))
