"""Pixels and geometry of medical images."""
