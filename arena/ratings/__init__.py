"""Ratings: pure mathematics over comparisons. Arrays in, frozen results out; numpy and nothing else.

Nothing here knows of files, databases, clocks or screens. Log-strengths are natural logarithms
inside; a `Scale` turns them into Elo-like points at the border.
"""
