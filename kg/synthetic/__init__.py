"""Generators of data in licensed layouts, made of nothing but pseudo-words, with known truth."""
