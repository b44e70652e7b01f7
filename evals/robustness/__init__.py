"""Robustness protocol (after SURE-VQA, Kahl et al. 2024): the same images clean and corrupted at five severities."""
