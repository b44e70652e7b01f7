"""Readers of published benchmarks, each in its true file format."""
