"""Measures of any mask, outline or set of points, in two and three dimensions: arithmetic without files or networks."""
