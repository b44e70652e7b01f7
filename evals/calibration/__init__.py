"""Calibrations fitted on the user's own scores: probabilities, abstention at a risk, intervals, drift from a fit."""
