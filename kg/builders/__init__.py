"""Builders of graph stores from licensed and open sources; what they cannot use they count and name."""
