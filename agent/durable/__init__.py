"""Runs that survive: checkpoints, resumption, approval, and what a run may still use."""
