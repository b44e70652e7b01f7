"""Graphs on disk: one interface over memory-mapped arrays, SQLite, networkx and the authored core graph."""
