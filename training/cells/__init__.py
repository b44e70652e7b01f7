"""Recipe of the blood-cell detectors."""
