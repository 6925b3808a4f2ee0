"""Benchmarks: one small file per task, scorers that read like their formulas, a runner that resumes."""
