"""Tools that find and count objects."""
