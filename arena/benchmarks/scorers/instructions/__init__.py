"""IFEval's verifiable instructions: a checker per kind, an English and a Russian way to read texts.

Zhou et al. 2023, "Instruction-Following Evaluation for Large Language Models". The 25 kinds and
their keyword arguments are the format; the checkers are written from its behaviour.
"""
