"""Measured figures: readers, metrics, protocols."""
