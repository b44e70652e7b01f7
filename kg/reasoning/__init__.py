"""Reasoning over a graph: typed paths, ranked differentials, constraints, contradictions, what is near a question."""
