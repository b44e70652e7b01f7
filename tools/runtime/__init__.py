"""Runs tools: prerequisites, model pool, cache, timeouts."""
